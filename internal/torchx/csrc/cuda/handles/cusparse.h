// The handles that libtorch's headers of CUDA name, in place of the headers of cuSPARSE, cuBLAS and cuSOLVER, which take
// wheels of 700 MB. nccl.cc includes them, and calls nothing of these libraries.
#pragma once
typedef struct cusparseContext *cusparseHandle_t;
typedef enum { CUSPARSE_STATUS_SUCCESS } cusparseStatus_t;
