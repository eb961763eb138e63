#include "table.h"

extern "C" const fx::CudaTable *fmsr_cuda_table(void) {
  static const fx::CudaTable table{
      fx::cuda_table_version, fx::norm_scratch, fx::norm_forward, fx::norm_backward, fx::update_scratch,
      fx::update,             fx::graph_begin,  fx::graph_end,    fx::graph_replay,  fx::graph_free,
      fx::nccl_backend};
  return &table;
}
