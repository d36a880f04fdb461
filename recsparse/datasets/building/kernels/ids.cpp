// Numbers the distinct ids of a stream of batches: a hash table that outlives each batch. Ids come in
// blocks, and what a block needs is asked of memory before it is used, since a table of millions of
// ids is far larger than any cache.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kMostIds = INT32_MAX;
constexpr int64_t kFirstSlots = 1 << 10;
constexpr int64_t kHead = 20;
constexpr size_t kPage = 1 << 21;  // a huge page: with small ones, every access would miss the TLB

enum Status : int64_t { kNoMemory = -1, kTooMany = -2 };

// Half a cache line. A short id is kept in it, so that telling whether it is the one looked for takes
// no further access to memory; of a longer one it says where it begins.
struct Entry {
  uint64_t hash;
  int32_t length;
  char head[kHead];
};
static_assert(sizeof(Entry) == 32);

struct Table {
  uint64_t* slots;  // upper half of the hash, then the number + 1; 0 where there is none
  int64_t num_slots;
  Entry* entries;
  int64_t size, room;
  char* bytes;
  int64_t used, bytes_room;
};

// As Arrow keeps strings, or, where there are no offsets, values of the same width.
struct Batch {
  const void* offsets;
  int64_t offset_bytes;
  const char* bytes;
  int64_t width;

  int64_t start(int64_t row) const {
    if (offset_bytes == 0) return row * width;
    return offset_bytes == 4 ? static_cast<const int32_t*>(offsets)[row]
                             : static_cast<const int64_t*>(offsets)[row];
  }
};

uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t load(const char* bytes, int64_t length) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, static_cast<size_t>(length));
  return word;
}

uint64_t hash_of(const char* bytes, int64_t length) {
  constexpr uint64_t kFirst = 0x9E3779B97F4A7C15, kSecond = 0xD1B54A32D192ED03;
  uint64_t hash = kFirst ^ static_cast<uint64_t>(length);
  for (; length >= 8; bytes += 8, length -= 8) hash = mix(hash ^ load(bytes, 8), kSecond);
  hash = mix(hash ^ load(bytes, length), kSecond);
  return mix(hash, kFirst);
}

uint64_t tag_of(uint64_t hash) { return hash >> 32 << 32; }

int64_t first_slot(const Table& table, uint64_t hash) {
  return static_cast<int64_t>(hash & static_cast<uint64_t>(table.num_slots - 1));
}

const char* bytes_of(const Table& table, const Entry& entry) {
  if (entry.length <= kHead) return entry.head;
  int64_t start;
  std::memcpy(&start, entry.head, sizeof start);
  return table.bytes + start;
}

bool is_entry(const Table& table, int64_t number, uint64_t hash, const char* bytes,
              int64_t length) {
  const Entry& entry = table.entries[number];
  return entry.hash == hash && entry.length == length &&
         std::memcmp(bytes_of(table, entry), bytes, static_cast<size_t>(length)) == 0;
}

void* allocate(size_t size) {
  const size_t alignment = size < kPage ? 64 : kPage;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
#if defined(__linux__)
  if (memory != nullptr && rounded >= kPage) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return memory;
}

template <typename T>
bool grow(T*& array, int64_t& room, int64_t used, int64_t wanted) {
  if (wanted <= room) return true;
  const int64_t larger = wanted + wanted / 2 + 1024;
  auto* moved = static_cast<T*>(allocate(static_cast<size_t>(larger) * sizeof(T)));
  if (moved == nullptr) return false;
  if (used) std::memcpy(moved, array, static_cast<size_t>(used) * sizeof(T));
  std::free(array);
  array = moved;
  room = larger;
  return true;
}

void put(Table& table, int64_t number) {
  const uint64_t hash = table.entries[number].hash;
  int64_t slot = first_slot(table, hash);
  while (table.slots[slot] != 0) slot = (slot + 1) & (table.num_slots - 1);
  table.slots[slot] = tag_of(hash) | static_cast<uint64_t>(number + 1);
}

// At most half of the slots are taken, so that a free one is never far.
bool make_slots(Table& table, int64_t ids) {
  if (2 * ids <= table.num_slots) return true;
  int64_t wanted = table.num_slots ? table.num_slots : kFirstSlots;
  while (wanted < 2 * ids) wanted *= 2;
  const size_t size = static_cast<size_t>(wanted) * sizeof(uint64_t);
  auto* slots = static_cast<uint64_t*>(allocate(size));
  if (slots == nullptr) return false;
  std::memset(slots, 0, size);
  std::free(table.slots);
  table.slots = slots;
  table.num_slots = wanted;
  for (int64_t number = 0; number < table.size; ++number) put(table, number);
  return true;
}

int64_t insert(Table& table, uint64_t hash, const char* bytes, int64_t length) {
  if (table.size == kMostIds) return kTooMany;
  if (!make_slots(table, table.size + 1) ||
      !grow(table.entries, table.room, table.size, table.size + 1) ||
      !grow(table.bytes, table.bytes_room, table.used, table.used + length))
    return kNoMemory;
  std::memcpy(table.bytes + table.used, bytes, static_cast<size_t>(length));
  Entry& entry = table.entries[table.size];
  entry.hash = hash;
  entry.length = static_cast<int32_t>(length);
  if (length <= kHead)
    std::memcpy(entry.head, bytes, static_cast<size_t>(length));
  else
    std::memcpy(entry.head, &table.used, sizeof table.used);
  table.used += length;
  put(table, table.size);
  return table.size++;
}

int64_t find_or_insert(Table& table, uint64_t hash, const char* bytes, int64_t length) {
  if (table.num_slots) {
    for (int64_t slot = first_slot(table, hash); table.slots[slot] != 0;
         slot = (slot + 1) & (table.num_slots - 1)) {
      const uint64_t found = table.slots[slot];
      const auto number = static_cast<int64_t>(static_cast<uint32_t>(found)) - 1;
      if (tag_of(found) == tag_of(hash) && is_entry(table, number, hash, bytes, length))
        return number;
    }
  }
  return insert(table, hash, bytes, length);
}

// The number that the first slot speaks for, not yet compared; -1 if it speaks for none.
int64_t likely(const Table& table, uint64_t hash) {
  if (table.num_slots == 0) return -1;
  const uint64_t found = table.slots[first_slot(table, hash)];
  if (found == 0 || tag_of(found) != tag_of(hash)) return -1;
  return static_cast<int64_t>(static_cast<uint32_t>(found)) - 1;
}

int64_t add_block(Table& table, const Batch& batch, int64_t first, int64_t rows, int32_t* out) {
  uint64_t hashes[kBlock];
  int64_t candidates[kBlock];
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t start = batch.start(first + i), end = batch.start(first + i + 1);
    hashes[i] = hash_of(batch.bytes + start, end - start);
    if (table.num_slots) __builtin_prefetch(table.slots + first_slot(table, hashes[i]));
  }
  for (int64_t i = 0; i < rows; ++i) {
    candidates[i] = likely(table, hashes[i]);
    if (candidates[i] >= 0) __builtin_prefetch(table.entries + candidates[i]);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t start = batch.start(first + i), length = batch.start(first + i + 1) - start;
    const char* bytes = batch.bytes + start;
    int64_t number = candidates[i];
    if (number < 0 || !is_entry(table, number, hashes[i], bytes, length)) {
      number = find_or_insert(table, hashes[i], bytes, length);
      if (number < 0) return number;
    }
    out[first + i] = static_cast<int32_t>(number);
  }
  return 0;
}

}  // namespace

EXPORT void* rs_ids_new() { return std::calloc(1, sizeof(Table)); }

EXPORT void rs_ids_free(void* handle) {
  auto* table = static_cast<Table*>(handle);
  std::free(table->slots);
  std::free(table->entries);
  std::free(table->bytes);
  std::free(table);
}

// Writes the number of each id to out; returns how many ids there are, or a status below 0.
EXPORT int64_t rs_ids_add(void* handle, const void* offsets, int64_t offset_bytes,
                          const char* bytes, int64_t width, int64_t rows, int32_t* out) {
  auto& table = *static_cast<Table*>(handle);
  const Batch batch{offsets, offset_bytes, bytes, width};
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t some = rows - first < kBlock ? rows - first : kBlock;
    const int64_t status = add_block(table, batch, first, some, out);
    if (status < 0) return status;
  }
  return table.size;
}

EXPORT int64_t rs_ids_size(void* handle) { return static_cast<Table*>(handle)->size; }

EXPORT int64_t rs_ids_bytes(void* handle) { return static_cast<Table*>(handle)->used; }

// Writes where each id begins and ends, size + 1 numbers, and the bytes of all.
EXPORT void rs_ids_read(void* handle, int64_t* offsets, char* bytes) {
  const auto& table = *static_cast<Table*>(handle);
  offsets[0] = 0;
  for (int64_t i = 0; i < table.size; ++i) offsets[i + 1] = offsets[i] + table.entries[i].length;
  if (table.used) std::memcpy(bytes, table.bytes, static_cast<size_t>(table.used));
}
