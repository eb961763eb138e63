// See cusparse.h.
#pragma once
typedef struct cusolverDnContext *cusolverDnHandle_t;
