/* An allocator for LD_PRELOAD that puts each object beside a page that may not be touched, once guard_set() turns it on. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { OFF, BEFORE_PAGE, BEHIND_PAGE };

#define PAGE 4096UL
#define SLOT 65536UL
#define BASE 0x100000000000UL
#define SPAN 0x100000000000UL
/* More than this is not filled. */
#define FILLED (64UL << 20)
/* More than this is out of memory. */
#define LARGEST (1UL << 28)

typedef struct {
  size_t size, pages;
  int fill;
} Header;

/* Of each slot: no address is used twice. */
static Header *headers;
static volatile int place = OFF, every = 0, fill = 0;
static volatile uintptr_t next = BASE;
static volatile long overwritten = 0;

/* Whether tensors, which are aligned, or every object, lie before or behind a page, in memory of this byte. */
void guard_set(int new_place, int new_fill, int new_every) {
  fill = new_fill;
  place = new_place;
  every = new_every;
}

/* How many objects had bytes beside them overwritten when they were freed. */
long guard_overwritten(void) { return overwritten; }

static int is_guarded(void *object) { return (uintptr_t)object >= BASE && (uintptr_t)object < BASE + SPAN; }

static uintptr_t slot_of(void *object) { return ((uintptr_t)object - BASE) / SLOT; }

static void *reserve(uintptr_t at, size_t size, int access) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at == 0 ? 0 : MAP_FIXED);
  return mmap((void *)at, size, access, flags, -1, 0);
}

__attribute__((constructor)) static void begin(void) {
  headers = reserve(0, SPAN / SLOT * sizeof(Header), PROT_READ | PROT_WRITE);
  if (headers == MAP_FAILED || reserve(BASE, SPAN, PROT_NONE) == MAP_FAILED) abort();
}

void *guard_allocate(size_t alignment, size_t size) {
  size_t wanted = size == 0 ? 1 : size, pages = (wanted + alignment + PAGE - 1) / PAGE * PAGE;
  /* Read once: other threads of ONNX Runtime allocate while they change. */
  int where = place, byte = fill;
  errno = ENOMEM;
  if (size > LARGEST || alignment > PAGE) return NULL;
  char *first = (char *)__sync_fetch_and_add(&next, (pages + 2 * PAGE + SLOT - 1) & ~(SLOT - 1)) + PAGE;
  if (mprotect(first, pages, PROT_READ | PROT_WRITE)) return NULL;
  headers[slot_of(first)] = (Header){wanted, pages, byte};
  if (pages < FILLED) memset(first, byte, pages);
  errno = 0;
  return where == BEHIND_PAGE ? first : (char *)((uintptr_t)(first + pages - wanted) / alignment * alignment);
}

static int is_as_filled(const char *from, const char *to, int byte) {
  while (from < to)
    if (*from++ != (char)byte) return 0;
  return 1;
}

static void release(void *object) {
  Header header = headers[slot_of(object)];
  char *first = (char *)(BASE + slot_of(object) * SLOT + PAGE), *end = (char *)object + header.size;
  if (header.pages < FILLED &&
      !(is_as_filled(first, object, header.fill) && is_as_filled(end, first + header.pages, header.fill)))
    __sync_fetch_and_add(&overwritten, 1);
  reserve((uintptr_t)first, header.pages, PROT_NONE);
}

void *malloc(size_t size) { return every ? guard_allocate(16, size) : __libc_malloc(size); }

void free(void *object) {
  if (is_guarded(object)) release(object);
  else __libc_free(object);
}

void *calloc(size_t count, size_t each) {
  size_t size;
  if (!every) return __libc_calloc(count, each);
  if (__builtin_mul_overflow(count, each, &size)) return NULL;
  void *object = guard_allocate(16, size);
  return object == NULL ? NULL : memset(object, 0, size);
}

void *realloc(void *object, size_t size) {
  if (!is_guarded(object)) return object == NULL ? malloc(size) : __libc_realloc(object, size);
  void *moved = malloc(size);
  if (moved == NULL) return NULL;
  size_t before = headers[slot_of(object)].size;
  memcpy(moved, object, before < size ? before : size);
  release(object);
  return moved;
}

void *memalign(size_t alignment, size_t size) {
  return place == OFF ? __libc_memalign(alignment, size) : guard_allocate(alignment < 16 ? 16 : alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **object, size_t alignment, size_t size) {
  void *made = memalign(alignment, size);
  if (made == NULL) return ENOMEM;
  *object = made;
  return 0;
}
