// Memory of large results, handed to torch through DLPack. What a tensor frees is kept and given to
// the next of its size, as fresh memory costs more to touch than many convolutions to compute. All
// together is never more than was in use at once: kept memory goes back before it would be.
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "kernels.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// As in dlpack.h, version 0.
struct Description {
  void* data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};

struct Managed {
  Description description;
  void* context;
  void (*deleter)(Managed*);
};

struct Block {
  Managed managed;
  int64_t shape[2];
  void* memory;
  int64_t bytes;
};

constexpr int64_t kPage = int64_t(1) << 21;
std::mutex mutex;
std::vector<Block*>* idle = new std::vector<Block*>;  // never destroyed: tensors may outlive it
int64_t idle_bytes = 0, used_bytes = 0, most_used_bytes = 0;

void release_until(int64_t allowed) {
  while (!idle->empty() && idle_bytes > allowed) {
    Block* block = idle->front();
    idle->erase(idle->begin());
    idle_bytes -= block->bytes;
    std::free(block->memory);
    delete block;
  }
}

void keep(Managed* managed) {
  Block* block = static_cast<Block*>(managed->context);
  const std::lock_guard<std::mutex> lock(mutex);
  used_bytes -= block->bytes;
  idle_bytes += block->bytes;
  idle->push_back(block);
}

Block* find_or_make(int64_t bytes) {
  for (size_t i = idle->size(); i-- > 0;)
    if ((*idle)[i]->bytes == bytes) {
      Block* found = (*idle)[i];
      idle->erase(idle->begin() + i);
      idle_bytes -= bytes;
      return found;
    }
  release_until(most_used_bytes - used_bytes - bytes);
  Block* block = new (std::nothrow) Block;
  if (!block || posix_memalign(&block->memory, kPage, bytes)) {
    delete block;
    return nullptr;
  }
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  madvise(block->memory, bytes, MADV_HUGEPAGE);
#endif
  block->bytes = bytes;
  return block;
}

}  // namespace

// Returns a DLManagedTensor (rows, columns) of floats, or null where there is no memory.
EXPORT void* rs_take(int64_t rows, int64_t columns, int64_t code, int64_t bits) {
  const int64_t bytes = (rows * columns * (bits / 8) + kPage - 1) / kPage * kPage;
  const std::lock_guard<std::mutex> lock(mutex);
  Block* block = find_or_make(bytes);
  if (!block) return nullptr;
  used_bytes += bytes;
  if (used_bytes > most_used_bytes) most_used_bytes = used_bytes;
  block->shape[0] = rows;
  block->shape[1] = columns;
  block->managed = {{block->memory, 1, 0, 2, uint8_t(code), uint8_t(bits), 1, block->shape, nullptr, 0},
                    block,
                    keep};
  return &block->managed;
}

// Gives kept memory back to the system and forgets how much was in use; returns the bytes.
EXPORT int64_t rs_release() {
  const std::lock_guard<std::mutex> lock(mutex);
  const int64_t bytes = idle_bytes;
  release_until(0);
  most_used_bytes = used_bytes;
  return bytes;
}
