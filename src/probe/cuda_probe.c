/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_probe.c - the program that "gpurun doctor IMAGE" runs in the container: does CUDA work?
 *
 * It needs nothing of an image but the dynamic linker, which has to find libcuda.so.1 for it:
 * no libc is linked, there are only system calls and the driver's own functions.  libcuda brings
 * the image's libc along, set up by the dynamic linker before our first instruction.
 *
 *	cuda_probe [NODE...]
 *
 * prints one line for each fact:
 *
 *	node /dev/nvidia0 0             errno of open(2), for each NODE
 *	library /usr/lib/libcuda.so.1   each file of that name that is mapped
 *	driver 12040                    cuDriverGetVersion
 *	cuInit 100 CUDA_ERROR_NO_DEVICE CUresult and its name
 *	devices 2
 *	device 0 0000:3b:00.0 NAME
 *	alloc 0 0                       device and CUresult of the first step that failed
 *	kernel 0 0                      the same; 1000: ran, but added wrongly
 *
 * and exits with 0 when at least one device computed and none failed, else with 1.
 */

/* ---- system calls ----------------------------------------------------------------------- */

#define OPEN_RDWR         2L
#define OPEN_CLOEXEC      02000000L
#define OPEN_NONBLOCK     04000L
#define AT_CWD            (-100L)
#define ERRNO_INTERRUPTED 4L

#if defined(__x86_64__)
#define SYS_READ       0L
#define SYS_WRITE      1L
#define SYS_CLOSE      3L
#define SYS_EXIT_GROUP 231L
#define SYS_OPENAT     257L
#define INTERPRETER    "/lib64/ld-linux-x86-64.so.2"

static long sys(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return r;
}

__asm__(".hidden _start\n"
	".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call probe_main\n");

#elif defined(__aarch64__)
#define SYS_OPENAT     56L
#define SYS_CLOSE      57L
#define SYS_READ       63L
#define SYS_WRITE      64L
#define SYS_EXIT_GROUP 94L
#define INTERPRETER    "/lib/ld-linux-aarch64.so.1"

static long sys(long nr, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

__asm__(".hidden _start\n"
	".globl _start\n"
	"_start:\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, sp\n"
	"	bl probe_main\n");

#else
/* NVIDIA has no driver for other architectures: this program is built, and never run. */
#define SYS_READ       0L
#define SYS_WRITE      0L
#define SYS_CLOSE      0L
#define SYS_OPENAT     0L
#define SYS_EXIT_GROUP 0L
#define INTERPRETER    "/"

static long sys(long nr, long a, long b, long c, long d)
{
	(void)nr, (void)a, (void)b, (void)c, (void)d;
	__builtin_trap();
}
#endif

/* glibc's, also where gpurun itself is built with another C library */
extern const char interpreter[];
const char interpreter[] __attribute__((section(".interp"), used)) = INTERPRETER;

/* ---- the driver's functions (cuda.h), in libcuda since CUDA 7.0 and without a version --------- */

typedef int cu_result;
typedef int cu_device;
typedef unsigned long long cu_pointer;
typedef struct cu_opaque *cu_handle;

extern cu_result cuDriverGetVersion(int *version);
extern cu_result cuInit(unsigned int flags);
extern cu_result cuGetErrorName(cu_result error, const char **name);
extern cu_result cuDeviceGetCount(int *count);
extern cu_result cuDeviceGet(cu_device *device, int ordinal);
extern cu_result cuDeviceGetName(char *name, int size, cu_device device);
extern cu_result cuDeviceGetPCIBusId(char *id, int size, cu_device device);
extern cu_result cuDevicePrimaryCtxRetain(cu_handle *context, cu_device device);
extern cu_result cuCtxSetCurrent(cu_handle context);
extern cu_result cuMemAlloc_v2(cu_pointer *memory, unsigned long size);
extern cu_result cuMemcpyHtoD_v2(cu_pointer to, const void *from, unsigned long size);
extern cu_result cuMemcpyDtoH_v2(void *to, cu_pointer from, unsigned long size);
extern cu_result cuModuleLoadData(cu_handle *module, const void *image);
extern cu_result cuModuleGetFunction(cu_handle *function, cu_handle module, const char *name);
extern cu_result cuLaunchKernel(cu_handle function, unsigned int grid_x, unsigned int grid_y,
				unsigned int grid_z, unsigned int block_x, unsigned int block_y,
				unsigned int block_z, unsigned int shared, cu_handle stream,
				void **parameters, void **extra);
extern cu_result cuCtxSynchronize(void);

/* ---- output ----------------------------------------------------------------------------- */

#define LINE_MAX 512UL

/* A line is written at once, so that what libcuda may print does not get into it. */
struct line {
	char text[LINE_MAX];
	unsigned long len;
};

static void add(struct line *l, const char *s)
{
	for (; *s && l->len < LINE_MAX - 1; s++)
		l->text[l->len++] = *s == '\n' ? ' ' : *s;
}

/* No initializers of large objects and no copies of them: the compiler would call memset, memcpy. */
static void begin(struct line *l, const char *key)
{
	l->len = 0;
	add(l, key);
}

static void add_number(struct line *l, long n)
{
	unsigned long v = n < 0 ? -(unsigned long)n : (unsigned long)n;
	char digits[24];
	unsigned int i = sizeof(digits);

	digits[--i] = '\0';
	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (n < 0)
		digits[--i] = '-';
	add(l, " ");
	add(l, digits + i);
}

static void print(struct line *l)
{
	unsigned long done = 0;

	l->text[l->len++] = '\n';
	while (done < l->len) {
		long n = sys(SYS_WRITE, 1, (long)(l->text + done), (long)(l->len - done), 0);

		if (n <= 0 && n != -ERRNO_INTERRUPTED)
			return;
		done += n > 0 ? (unsigned long)n : 0;
	}
}

static void print_number(const char *key, long number)
{
	struct line l;

	begin(&l, key);
	add_number(&l, number);
	print(&l);
}

/* A CUresult, with its name unless it is success. */
static void add_result(struct line *l, cu_result result)
{
	const char *name = 0;

	add_number(l, result);
	if (result && cuGetErrorName(result, &name) == 0 && name) {
		add(l, " ");
		add(l, name);
	}
}

/* ---- files ------------------------------------------------------------------------------ */

static void print_node(const char *path)
{
	long fd = sys(SYS_OPENAT, AT_CWD, (long)path, OPEN_RDWR | OPEN_CLOEXEC | OPEN_NONBLOCK, 0);
	struct line l;

	begin(&l, "node ");
	add(&l, path);
	add_number(&l, fd < 0 ? -fd : 0);
	print(&l);
	if (fd >= 0)
		(void)sys(SYS_CLOSE, fd, 0, 0, 0);
}

/* The rest of @s behind the first place of @part, or null. */
static const char *behind(const char *s, const char *part)
{
	for (; *s; s++) {
		unsigned long i = 0;

		while (part[i] && s[i] == part[i])
			i++;
		if (!part[i])
			return s + i;
	}
	return 0;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* One line of /proc/self/maps; a library has several in a row. */
static void print_mapping(const char *text, struct line *last)
{
	struct line l;

	if (!behind(text, "/libcuda.so"))
		return;
	while (*text && *text != '/')
		text++;
	if (same(text, last->text))
		return;
	begin(last, text);
	last->text[last->len] = '\0';
	begin(&l, "library ");
	add(&l, text);
	print(&l);
}

static void print_libraries(void)
{
	struct line last, l;
	long fd = sys(SYS_OPENAT, AT_CWD, (long)"/proc/self/maps", OPEN_CLOEXEC, 0);
	char block[4096];
	long n = 0;

	last.text[0] = '\0';
	l.len = 0;
	while (fd >= 0 && (n = sys(SYS_READ, fd, (long)block, sizeof(block), 0)) > 0) {
		for (long i = 0; i < n; i++) {
			/* NOLINTNEXTLINE(clang-analyzer-core.*): read(2) has filled it */
			if (block[i] != '\n') {
				if (l.len < LINE_MAX - 1)
					l.text[l.len++] = block[i];
				continue;
			}
			l.text[l.len] = '\0';
			print_mapping(l.text, &last);
			l.len = 0;
		}
	}
}

/* ---- computing -------------------------------------------------------------------------- */

#define BLOCKS  4U
#define THREADS 256U
#define VALUES  1024UL /* BLOCKS * THREADS */
#define ADDEND  1000U

#define WRONG_SUM 1000

/* v[i] += addend, for the oldest architecture that drivers of our time compile for. */
static const char kernel[] = ".version 4.0\n"
			     ".target sm_30\n"
			     ".address_size 64\n"
			     ".visible .entry add(.param .u64 values, .param .u32 addend)\n"
			     "{\n"
			     "	.reg .u32 %r<6>;\n"
			     "	.reg .u64 %d<4>;\n"
			     "	ld.param.u64 %d0, [values];\n"
			     "	ld.param.u32 %r0, [addend];\n"
			     "	cvta.to.global.u64 %d1, %d0;\n"
			     "	mov.u32 %r1, %ctaid.x;\n"
			     "	mov.u32 %r2, %ntid.x;\n"
			     "	mov.u32 %r3, %tid.x;\n"
			     "	mad.lo.u32 %r4, %r1, %r2, %r3;\n"
			     "	mul.wide.u32 %d2, %r4, 4;\n"
			     "	add.u64 %d3, %d1, %d2;\n"
			     "	ld.global.u32 %r5, [%d3];\n"
			     "	add.u32 %r5, %r5, %r0;\n"
			     "	st.global.u32 [%d3], %r5;\n"
			     "	ret;\n"
			     "}\n";

/* Memory on the device, filled from here. */
static cu_result allocate(cu_device device, const unsigned int *values, cu_pointer *ret)
{
	cu_handle context = 0;
	cu_result r = cuDevicePrimaryCtxRetain(&context, device);

	if (!r)
		r = cuCtxSetCurrent(context);
	if (!r)
		r = cuMemAlloc_v2(ret, VALUES * sizeof(*values));
	if (!r)
		r = cuMemcpyHtoD_v2(*ret, values, VALUES * sizeof(*values));
	return r;
}

static cu_result compute(cu_pointer memory, unsigned int *values)
{
	unsigned int addend = ADDEND;
	void *parameters[] = { &memory, &addend };
	cu_handle module = 0, function = 0;
	cu_result r = cuModuleLoadData(&module, kernel);

	if (!r)
		r = cuModuleGetFunction(&function, module, "add");
	if (!r)
		r = cuLaunchKernel(function, BLOCKS, 1, 1, THREADS, 1, 1, 0, 0, parameters, 0);
	if (!r)
		r = cuCtxSynchronize();
	if (!r)
		r = cuMemcpyDtoH_v2(values, memory, VALUES * sizeof(*values));
	for (unsigned int i = 0; !r && i < VALUES; i++)
		if (values[i] != i + ADDEND)
			r = WRONG_SUM;
	return r;
}

static void print_step(const char *key, int ordinal, cu_result result)
{
	struct line l;

	begin(&l, key);
	add_number(&l, ordinal);
	add_result(&l, result);
	print(&l);
}

static void print_device(int ordinal, cu_device device)
{
	char pci[32], name[128];
	struct line l;

	pci[0] = name[0] = '\0';
	(void)cuDeviceGetPCIBusId(pci, sizeof(pci), device);
	(void)cuDeviceGetName(name, sizeof(name), device);
	begin(&l, "device");
	add_number(&l, ordinal);
	add(&l, " ");
	add(&l, pci[0] ? pci : "?");
	add(&l, " ");
	add(&l, name);
	print(&l);
}

/* Return: 1 when the device computed rightly */
static int try_device(int ordinal)
{
	unsigned int values[VALUES];
	cu_pointer memory = 0;
	cu_device device = 0;
	cu_result r = cuDeviceGet(&device, ordinal);

	for (unsigned int i = 0; i < VALUES; i++)
		values[i] = i;
	if (!r) {
		print_device(ordinal, device);
		r = allocate(device, values, &memory);
	}
	print_step("alloc", ordinal, r);
	if (r)
		return 0;
	r = compute(memory, values);
	print_step("kernel", ordinal, r);
	return r == 0;
}

static int try_cuda(void)
{
	int version = 0, count = 0, good = 0;
	struct line l;
	cu_result r;

	(void)cuDriverGetVersion(&version);
	print_number("driver", version);
	r = cuInit(0);
	begin(&l, "cuInit");
	add_result(&l, r);
	print(&l);
	if (r)
		return 1;
	(void)cuDeviceGetCount(&count);
	print_number("devices", count);
	for (int i = 0; i < count; i++)
		good += try_device(i);
	return count > 0 && good == count ? 0 : 1;
}

/* @stack: argc and argv, as the kernel left them */
__attribute__((noreturn, used)) void probe_main(const long *stack);
void probe_main(const long *stack)
{
	const char *const *argv = (const char *const *)(stack + 1);

	for (long i = 1; i < stack[0]; i++)
		print_node(argv[i]);
	print_libraries();
	for (;;)
		(void)sys(SYS_EXIT_GROUP, try_cuda(), 0, 0, 0);
}
