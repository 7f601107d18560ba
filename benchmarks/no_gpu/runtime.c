/* A CUDA runtime and driver with one Hopper GPU that never does anything: it lets torch's compiler
   write that GPU's code. Preloaded, so it answers before the real library would say no. */
#include <stdlib.h>
#include <string.h>

#define OK(name) int name() { return 0; }
OK(cudaSetDevice) OK(cudaGetLastError) OK(cudaPeekAtLastError) OK(cudaDeviceSynchronize)
OK(cudaStreamQuery) OK(cudaStreamSynchronize) OK(cudaStreamWaitEvent) OK(cudaFree)
OK(cudaEventRecord) OK(cudaEventRecordWithFlags) OK(cudaEventQuery) OK(cudaEventSynchronize)
OK(cudaEventDestroy) OK(cudaLaunchKernel) OK(cudaLaunchKernelExC) OK(cuInit)

int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaDriverGetVersion(int *version) { *version = 13000; return 0; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return 0; }
int cudaDeviceGetAttribute(int *value) { *value = 0; return 0; }
int cudaStreamIsCapturing(void *stream, int *status) { *status = 0; return 0; }
int cudaStreamCreateWithPriority(void **stream) { *stream = (void *)8; return 0; }
int cudaEventCreateWithFlags(void **event) { *event = (void *)8; return 0; }
int cudaDeviceGetStreamPriorityRange(int *low, int *high) { *low = 0, *high = -5; return 0; }
int cudaMalloc(void **memory, size_t size) { *memory = malloc(size); return 0; }
int cudaHostAlloc(void **memory, size_t size) { *memory = malloc(size); return 0; }
int cudaMemcpyAsync(void *to, void *from, size_t size) { memcpy(to, from, size); return 0; }
int cudaPointerGetAttributes(void *attributes) { memset(attributes, 0, 32); return 0; }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  *flags = 0, *active = 1;
  return 0;
}

/* Offsets in CUDA 13's cudaDeviceProp: what decides which attention kernel is chosen. */
int cudaGetDeviceProperties(char *properties) {
  memset(properties, 0, 1008);
  *(size_t *)(properties + 288) = 80ull << 30; /* bytes of memory */
  *(size_t *)(properties + 296) = 48 << 10;    /* of shared memory a block */
  *(int *)(properties + 304) = 65536;          /* registers a block */
  *(int *)(properties + 308) = 32;             /* threads a warp */
  *(int *)(properties + 320) = 1024;           /* threads a block */
  *(int *)(properties + 360) = 9;              /* compute capability 9.0 */
  return 0;
}
