// See cusparse.h.
#pragma once
typedef enum { CUSOLVER_STATUS_SUCCESS } cusolverStatus_t;
