// The functions that table.cc puts into the table; cuda_table.h describes them.
#pragma once
#include "cuda_table.h"

namespace fx {

int64_t norm_scratch(const CudaNorm &norm);
void norm_forward(const CudaNorm &norm, const void *x, void *y, float *mean, float *rstd, void *scratch, void *stream);
void norm_backward(const CudaNorm &norm, const void *x, const void *dy, const float *mean, const float *rstd, void *dx,
                   float *dw, float *db, float *dfilm, void *scratch, void *stream);
int64_t update_scratch(const UpdateTensor *tensors, int count);
void update(const UpdateTensor *tensors, int count, const UpdateRule &rule, const UpdateSchedule *schedule,
            const double *loss, UpdateReport *report, void *scratch, void *stream);
CudaGraph *graph_begin(int device);
void graph_end(CudaGraph *graph);
void graph_replay(CudaGraph *graph);
void graph_free(CudaGraph *graph);
void *nccl_backend(void *store, int rank, int size, int device, int64_t timeout_ms);

}  // namespace fx
