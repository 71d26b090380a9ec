/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_look(): names, what files give, where they are looked for, and what is not accepted. */
#include <gpurun/image.h>

#include "cdi-host.h"

#define HEAD          "cdiVersion: 0.6.0\nkind: v.com/c\n"
#define DEVICE(edits) HEAD "devices:\n- name: x\n  containerEdits:\n" edits
#define HOOK(args)                                                                                 \
	"    hooks:\n    - {hookName: createContainer, path: /usr/bin/nvidia-cdi-hook, args: "     \
	"[h, " args "]}\n"

static void test_names(void)
{
	static const char *const yes[] = { "v/c=d", "nvidia.com/gpu=0", "nvidia.com/gpu=0:1",
					   "a-b_c.d/e-f_g.h2=GPU-1_2.3:4",
					   "management.nvidia.com/gpu=all" };
	static const char *const no[] = { "",        "0",         "/dev/x",  "v/c",
					  "c=d",     "/v/c=d",    "v/c=",    "v/=d",
					  "/c=d",    "v/c=d=e",   "1/c=d",   "v/1=d",
					  "v-/c=d",  "v/c-=d",    "v/c=d-",  "v/c=-d",
					  "v/c/e=d", "v c/c=d",   "v/c=d e", "v/c=\xc3\xa9",
					  "count=2", "/dev/a=b/c" };

	for (size_t i = 0; i < ELEMENTS(yes); i++)
		ok(cdi_is_name(yes[i]), "%s is a name", yes[i]);
	for (size_t i = 0; i < ELEMENTS(no); i++)
		ok(!cdi_is_name(no[i]), "\"%s\" is none", no[i]);
}

/* ---- the same in YAML and in JSON --------------------------------------------------------------- */

static const char whole_yaml[] =
	"---\n# made by hand\ncdiVersion: \"0.5.0\"\nkind: nvidia.com/gpu\n"
	"annotations: {made.by: hand}\n"
	"devices:\n"
	"    - name: \"0\"\n"
	"      containerEdits:\n"
	"        deviceNodes:\n"
	"            - path: /dev/nvidia1\n"
	"              hostPath: /dev/nvidia1\n"
	"              major: 195\n"
	"              minor: 7\n"
	"              fileMode: 438\n"
	"              permissions: rwm\n"
	"            - path: /dev/inside\n"
	"              hostPath: /dev/nvidia0\n"
	"              type: c\n"
	"    - name: cap\n"
	"      containerEdits: {deviceNodes: [{path: /dev/nvidia-caps/nvidia-cap3}]}\n"
	"containerEdits:\n"
	"    env:\n"
	"        - NVIDIA_VISIBLE_DEVICES=void\n"
	"        - NVIDIA_CTK_LIBCUDA_DIR=/x\n"
	"        - A=1=2\n"
	"    deviceNodes: [{path: /dev/nvidiactl}]\n"
	"    mounts:\n"
	"        - hostPath: /opt/vendor\n"
	"          containerPath: /opt/vendor\n"
	"          options: [rw, rbind, nosuid, rslave]\n"
	"        - hostPath: /usr/bin/nvidia-smi\n"
	"          containerPath: /opt/vendor/bin/smi\n"
	"          options: [ro, bind]\n"
	"        - hostPath: /run/vendor/socket\n"
	"          containerPath: /run/vendor/socket\n"
	"          options: [nosuid, nodev, rbind, rprivate, noexec]\n"
	"        - hostPath: /usr/lib/vendor/libcuda.so.550.163.01\n"
	"          containerPath: /inside/libcuda.so.550.163.01\n"
	"        - hostPath: /usr/lib/vendor/libtext.so\n"
	"          containerPath: /inside/libtext.so\n"
	"    hooks:\n"
	"        - hookName: createContainer\n"
	"          path: /usr/bin/nvidia-cdi-hook\n"
	"          args: [nvidia-cdi-hook, create-symlinks, --link, "
	"\"libcuda.so.1::/inside/libcuda.so\",\n"
	"                 --link, \"libcuda.so.550.163.01::/inside/libcuda.so.1\",\n"
	"                 \"--link=gone.so.1::/inside/gone.so\",\n"
	"                 --link, \"../card1::/dev/dri/by-path/pci-x\",\n"
	"                 --link, \"../../../inside/libcuda.so.1::/usr/lib/gbm/back.so\",\n"
	"                 --link, \"data::/etc/vendor/link\"]\n"
	"          env: [NVIDIA_CTK_DEBUG=false]\n"
	"          timeout: 10\n"
	"        - {hookName: createContainer, path: /usr/bin/nvidia-ctk,\n"
	"           args: [nvidia-ctk, hook, update-ldcache, --folder, /inside]}\n";

static const char whole_json[] =
	"{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/"
	"gpu\",\"annotations\":{\"made.by\":\"hand\"},"
	"\"devices\":[{\"name\":\"0\",\"containerEdits\":{\"deviceNodes\":["
	"{\"path\":\"/dev/nvidia1\",\"hostPath\":\"/dev/nvidia1\",\"major\":195,\"minor\":7,"
	"\"fileMode\":438,\"permissions\":\"rwm\"},"
	"{\"path\":\"/dev/inside\",\"hostPath\":\"/dev/nvidia0\",\"type\":\"c\"}]}},"
	"{\"name\":\"cap\",\"containerEdits\":{\"deviceNodes\":[{\"path\":"
	"\"/dev/nvidia-caps/nvidia-cap3\"}]}}],"
	"\"containerEdits\":{\"env\":[\"NVIDIA_VISIBLE_DEVICES=void\",\"NVIDIA_CTK_LIBCUDA_DIR=/"
	"x\","
	"\"A=1=2\"],\"deviceNodes\":[{\"path\":\"/dev/nvidiactl\"}],\"mounts\":["
	"{\"hostPath\":\"/opt/vendor\",\"containerPath\":\"/opt/vendor\","
	"\"options\":[\"rw\",\"rbind\",\"nosuid\",\"rslave\"]},"
	"{\"hostPath\":\"/usr/bin/nvidia-smi\",\"containerPath\":\"/opt/vendor/bin/smi\","
	"\"options\":[\"ro\",\"bind\"]},"
	"{\"hostPath\":\"/run/vendor/socket\",\"containerPath\":\"/run/vendor/socket\","
	"\"options\":[\"nosuid\",\"nodev\",\"rbind\",\"rprivate\",\"noexec\"]},"
	"{\"hostPath\":\"/usr/lib/vendor/libcuda.so.550.163.01\","
	"\"containerPath\":\"/inside/libcuda.so.550.163.01\"},"
	"{\"hostPath\":\"/usr/lib/vendor/libtext.so\",\"containerPath\":\"/inside/libtext.so\"}],"
	"\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/usr/bin/nvidia-cdi-hook\","
	"\"args\":[\"nvidia-cdi-hook\",\"create-symlinks\",\"--link\","
	"\"libcuda.so.1::/inside/libcuda.so\",\"--link\","
	"\"libcuda.so.550.163.01::/inside/libcuda.so.1\",\"--link=gone.so.1::/inside/gone.so\","
	"\"--link\",\"../card1::/dev/dri/by-path/pci-x\","
	"\"--link\",\"../../../inside/libcuda.so.1::/usr/lib/gbm/back.so\","
	"\"--link\",\"data::/etc/vendor/"
	"link\"],\"env\":[\"NVIDIA_CTK_DEBUG=false\"],\"timeout\":10},"
	"{\"hookName\":\"createContainer\",\"path\":\"/usr/bin/nvidia-ctk\",\"args\":["
	"\"nvidia-ctk\",\"hook\",\"update-ldcache\",\"--folder\",\"/inside\"]}]}}";

static const char whole_sight[] = "node /dev/nvidiactl /dev/nvidiactl c3ff CDI nvidia.com/gpu=0\n"
				  "node /dev/nvidia1 /dev/nvidia1 c301 CDI nvidia.com/gpu=0\n"
				  "node /dev/nvidia0 /dev/inside c300 CDI nvidia.com/gpu=0\n"
				  "node /dev/nvidia-caps/nvidia-cap3 /dev/nvidia-caps/nvidia-cap3 "
				  "ec03 CDI nvidia.com/gpu=cap\n"
				  "link /dev/dri/by-path/pci-x\t../card1\n"
				  "env A=1=2\n"
				  "lib64 libcuda.so.550.163.01 "
				  "/usr/lib/vendor/libcuda.so.550.163.01 libcuda.so.1 libcuda.so\n"
				  "file /.gpurun/lib64/libcuda.so.1 /usr/lib/gbm/back.so 0 1\n"
				  "file data /etc/vendor/link 0 1\n"
				  "file /usr/lib/vendor/libtext.so /inside/libtext.so 6 1\n"
				  "file /run/vendor/socket /run/vendor/socket e 3\n"
				  "dir /opt/vendor /opt/vendor 6 2\n"
				  "dir /usr/bin/nvidia-smi /opt/vendor/bin/smi 7 0\n"
				  "params ModifyDeviceFiles: 0\n";

static void test_whole(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	is_int(cdi_host_try(&h, whole_yaml, "nvidia.com/gpu=0,nvidia.com/gpu=cap,nvidia.com/gpu=0"),
	       0, "YAML is taken");
	is_str(cdi_host_text(&h), whole_sight, "all of it is in the sight");
	is_str(h.sight.driver->version, "550.163.01", "the driver's version");
	is_str(h.sight.driver->libcuda, tree_path(&h.tree, CDI_LIBS "/libcuda.so.550.163.01"),
	       "its libcuda");
	is_int(h.warn.n, 0, "no warning");
	cdi_host_away(&h, "/etc/cdi/v.yaml");
	tree_text(&h.tree, "/etc/cdi/v.json", whole_json);
	h.sight = (struct gpu_sight){ 0 };
	is_int(cdi_host_look(&h, "nvidia.com/gpu=0,nvidia.com/gpu=cap"), 0, "JSON is taken");
	is_str(cdi_host_text(&h), whole_sight, "and gives the same");
	cdi_host_free(&h);
}

static const struct op *find_op(const struct op_list *l, const char *dst)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].dst, dst))
			return &l->v[i];
	return NULL;
}

/* What comes of it: files before any directory of the host, nodes where the file wants them. */
static void test_edits(struct arena *a)
{
	const struct image_abi abi = { .libc = IMAGE_LIBC_GLIBC, .libdir = "/usr/lib" };
	const struct gpu_target target = { .abi = &abi };
	const struct gpu_choices none = { 0 };
	const struct op *op;
	struct edits ed = { 0 };
	struct cdi_host h;

	cdi_host_new(&h, a);
	is_int(cdi_host_try(&h, whole_yaml, "nvidia.com/gpu=0"), 0, "a device");
	is_int(gpu_edits(a, &none, &h.sight, &h.o, &target, &ed, &h.warn, &h.e), 0, "its edits");
	is_str(ed.files.v[ed.files.n - 1].dst, "/run/vendor/socket", "its files are the last ones");
	is_str(ed.ops.v[ed.ops.n - 2].dst, "/opt/vendor", "so are its directories");
	is_str(ed.ops.v[ed.ops.n - 1].dst, "/opt/vendor/bin/smi", "and what is in them");
	ok(!find_op(&ed.files, "/opt/vendor") && find_op(&ed.files, "/.gpurun/lib64/libcuda.so"),
	   "each in its list");
	op = find_op(&ed.ops, "/dev/inside");
	ok(op && op->kind == OP_BIND_DEV && str_eq(op->src, "/dev/nvidia0"), "a node elsewhere");
	is_str(op ? op->why : NULL, "CDI nvidia.com/gpu=0", "and for whom");
	op = find_op(&ed.ops, "/proc/driver/nvidia/params");
	ok(op && op->flags & OPF_BIND_FILE, "params are bound over the kernel's");
	h.sight.proc_hidden = true;
	ed = (struct edits){ 0 };
	is_int(gpu_edits(a, &none, &h.sight, &h.o, &target, &ed, &h.warn, &h.e), 0,
	       "a hidden /proc");
	op = find_op(&ed.ops, "/proc/driver");
	ok(op && op->kind == OP_TMPFS, "a tmpfs to put them in");
	op = find_op(&ed.ops, "/proc/driver/nvidia/params");
	ok(op && !(op->flags & OPF_BIND_FILE), "and there they are");
	cdi_host_free(&h);
}

/* What gpu_look() has found stays, and is not changed where it is. */
static void test_native_first(struct arena *a)
{
	struct gpu_file native[] = { { .kind = GPU_FILE_LIB,
				       .caps = GPU_CAP_COMPUTE,
				       .src = "/native/libcuda.so.550.163.01",
				       .dst = "libcuda.so.550.163.01",
				       .bits = 64 } };
	const struct gpu_driver driver = {
		.root = "", .version = "550.163.01", .files = native, .n_files = 1, .cap_files = 1
	};
	struct cdi_host h;

	cdi_host_new(&h, a);
	tree_text(&h.tree, "/etc/cdi/v.yaml",
		  DEVICE("    mounts:\n"
			 "    - {hostPath: /usr/lib64/libcuda.so.550.163.01, containerPath: "
			 "/usr/lib64/libcuda.so.550.163.01}\n"
			 "    - {hostPath: /usr/lib/vendor/libnvidia-ml.so.550.163.01, "
			 "containerPath: "
			 "/usr/lib64/libnvidia-ml.so.550.163.01}\n"));
	h.sight.driver = &driver;
	h.sight.proc_params = "as it was\n";
	strv_push(a, &h.sight.env, "OLD=1");
	is_int(cdi_host_look(&h, "v.com/c=x"), 0, "a device beside GPUs that were chosen");
	is_int(h.sight.driver->n_files, 2, "one library is added");
	is_str(h.sight.driver->files[0].src, "/native/libcuda.so.550.163.01",
	       "the native one stays");
	is_str(h.sight.driver->files[1].dst, "libnvidia-ml.so.550.163.01", "the new one is there");
	is_int(driver.n_files, 1, "the list of others is as it was");
	is_str(h.sight.proc_params, "as it was\n", "so are the params");
	is_str(h.sight.env.v[0], "OLD=1", "so is the environment");
	cdi_host_free(&h);
}

/* Without hooks a library is where a driver would be; elsewhere it is a file. */
static void test_libraries(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	is_int(cdi_host_try(
		       &h,
		       DEVICE("    mounts:\n"
			      "    - {hostPath: /usr/lib64/libcuda.so.550.163.01, containerPath: "
			      "/usr/lib64/libcuda.so.550.163.01}\n"
			      "    - {hostPath: /usr/lib/xorg/libextra.so, containerPath: "
			      "/usr/lib/xorg/libextra.so}\n"),
		       "v.com/c=x"),
	       0, "a file without hooks");
	is_str(cdi_host_text(&h),
	       "lib64 libcuda.so.550.163.01 /usr/lib64/libcuda.so.550.163.01 libcuda.so.1\n"
	       "file /usr/lib/xorg/libextra.so /usr/lib/xorg/libextra.so 6 1\n"
	       "params ModifyDeviceFiles: 0\n",
	       "one is a library, the other a file");
	cdi_host_free(&h);
}

/* ---- where files are ---------------------------------------------------------------------------- */

#define ENV(value) DEVICE("    env: [\"FROM=" value "\"]\n")

static const char *from(struct cdi_host *h)
{
	h->sight = (struct gpu_sight){ 0 };
	if (cdi_host_look(h, "v.com/c=x") < 0)
		return h->e.msg;
	return h->sight.env.n ? h->sight.env.v[h->sight.env.n - 1] : "nothing";
}

static void test_directories(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	is_str(from(&h), "v.com/c=x: no CDI file has it; there is no CDI device on this host",
	       "no directory");
	ok(strstr(h.e.hint, "/etc/cdi"), "where they are looked for is a hint");
	tree_text(&h.tree, "/etc/cdi/v.yml", ENV("yml"));
	tree_text(&h.tree, "/etc/cdi/.v.yaml", ENV("hidden"));
	tree_text(&h.tree, "/etc/cdi/deep/v.yaml", ENV("deep"));
	ok(strstr(from(&h), "no CDI device"), "other names and directories below are not read");
	tree_text(&h.tree, "/etc/cdi/v.yaml", ENV("etc"));
	is_str(from(&h), "FROM=etc", "/etc/cdi");
	tree_text(&h.tree, "/run/cdi/v.yaml", ENV("run"));
	is_str(from(&h), "FROM=run", "/run/cdi is before /etc/cdi");
	tree_link(&h.tree, "/var/run", "../run");
	is_str(from(&h), "FROM=run", "/var/run/cdi is the same, once");
	tree_text(&h.tree, "/home/u/.config/cdi/v.yaml", ENV("home"));
	is_str(from(&h), "FROM=home", "one's own is before all");
	tree_text(&h.tree, "/home/u/.config/cdi/w.json",
		  "{\"cdiVersion\":\"0.3.0\",\"kind\":\"v.com/c\",\"devices\":[{\"name\":\"x\","
		  "\"containerEdits\":{}}]}");
	is_str(from(&h),
	       "v.com/c=x: it is in /home/u/.config/cdi/v.yaml and in /home/u/.config/cdi/w.json",
	       "twice in one directory");
	is_int(h.e.code, EEXIST, "is an error");
	cdi_host_free(&h);
}

static void test_unknown(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	tree_text(&h.tree, "/etc/cdi/bad.json", "{");
	tree_text(&h.tree, "/etc/cdi/many.yaml",
		  "cdiVersion: 0.6.0\nkind: w.com/d\ndevices:\n"
		  "- {name: a1, containerEdits: {}}\n- {name: a2, containerEdits: {}}\n"
		  "- {name: a3, containerEdits: {}}\n- {name: a4, containerEdits: {}}\n"
		  "- {name: a5, containerEdits: {}}\n- {name: a6, containerEdits: {}}\n"
		  "- {name: a7, containerEdits: {}}\n- {name: a8, containerEdits: {}}\n");
	is_int(cdi_host_try(&h, ENV("etc"), "v.com/c=y"), -ENOENT, "a device that is not there");
	ok(strstr(h.e.msg, "there are v.com/c=x, w.com/d=a1,") && strstr(h.e.msg, "a7, ...") &&
		   !strstr(h.e.msg, "a8"),
	   "eight that are, of the same kind first: %s", h.e.msg);
	ok(strstr(h.e.msg, "; /etc/cdi/bad.json: "), "and what is not accepted");
	is_int(cdi_host_look(&h, "v.com/c=x"), 0, "others are not hurt by it");
	is_int(cdi_host_look(&h, "nvidia.com/gpu=0"), -ENOENT, "no CDI for NVIDIA");
	ok(strstr(h.e.hint, "nvidia-ctk cdi generate"), "how it is made: %s", h.e.hint);
	cdi_host_free(&h);
}

static void test_trust(struct arena *a)
{
	const char *path;
	struct cdi_host h;

	cdi_host_new(&h, a);
	tree_text(&h.tree, "/home/u/.config/cdi/v.yaml", ENV("home"));
	path = tree_path(&h.tree, "/home/u/.config/cdi/v.yaml");
	ok(chmod(path, 0646) == 0 && strstr(from(&h), "v.yaml: not accepted: everybody can write"),
	   "a file that everybody can write");
	ok(chmod(path, 0664) == 0 && str_eq(from(&h), "FROM=home"), "one that the group can write");
	if (geteuid() == 0)
		ok(chown(path, 65534, 0) == 0 && strstr(from(&h), "it is somebody else's"),
		   "one of somebody else");
	else
		skip("only root can give a file away");
	cdi_host_away(&h, "/home/u/.config/cdi/v.yaml");
	ok(mkdir(path, 0755) == 0 && strstr(from(&h), "not a regular file"), "a directory");
	cdi_host_away(&h, "/home/u/.config/cdi/v.yaml");
	ok(mkfifo(path, 0600) == 0 && strstr(from(&h), "not a regular file"), "a FIFO");
	cdi_host_free(&h);
}

/* ---- what is no CDI file ------------------------------------------------------------------------ */

static const struct bad_file {
	const char *text, *message;
} bad_files[] = {
	{ "", "it is empty" },
	{ "[]", "v.yaml: not an object" },
	{ "kind: v.com/c\ndevices: [{name: x, containerEdits: {}}]", "cdiVersion: missing" },
	{ "cdiVersion: 0.6.0\ndevices: [{name: x, containerEdits: {}}]", "kind: missing" },
	{ HEAD, "devices: missing" },
	{ HEAD "devices: ~", "devices: missing" },
	{ HEAD "devices: []", "devices: no device" },
	{ HEAD "devices: {}", "devices: not a list" },
	{ HEAD "devices: [x]", "devices[0]: not an object" },
	{ HEAD "devices: [{name: x}]", "devices[0].containerEdits: missing" },
	{ HEAD "devices: [{containerEdits: {}}]", "devices[0].name: missing" },
	{ HEAD "devices: [{name: 0, containerEdits: {}}]", "devices[0].name: not a string" },
	{ HEAD "devices: [{name: -x, containerEdits: {}}]", "name: not a name of a device" },
	{ HEAD "devices: [{name: x, containerEdits: {}}, {name: x, containerEdits: {}}]",
	  "devices[1]: a device of that name is there already" },
	{ "cdiVersion: 0.2.0\nkind: v.com/c\n", "cdiVersion: none of 0.3.0 to 1.1.0" },
	{ "cdiVersion: 1.2.0\nkind: v.com/c\n", "cdiVersion: none of" },
	{ "cdiVersion: 1\nkind: v.com/c\n", "cdiVersion: not a string" },
	{ "cdiVersion: 0.6.0\nkind: v.com\n", "kind: not VENDOR/CLASS" },
	{ HEAD "more: 1\n", "more: an unknown member" },
	{ HEAD "\"m\\x1bre\": 1\n", "?: an unknown member" },
	{ HEAD "annotations: {a: 1}\n", "annotations: a value that is not a string" },
	{ HEAD "annotations: []\n", "annotations: not an object" },
	{ DEVICE("    envs: []\n"), "devices[0].containerEdits.envs: an unknown member" },
	{ DEVICE("    env: A=1\n"), "containerEdits.env: not a list" },
	{ DEVICE("    env: [A]\n"), "env[0]: not NAME=VALUE" },
	{ DEVICE("    env: [B=1, =1]\n"), "env[1]: not NAME=VALUE" },
	{ DEVICE("    env: [\"A=\\e[1m\"]\n"), "env[0]: control characters" },
	{ DEVICE("    deviceNodes: [{hostPath: /dev/x}]\n"), "deviceNodes[0].path: missing" },
	{ DEVICE("    deviceNodes: [{path: dev/x}]\n"), "path: not an absolute path" },
	{ DEVICE("    deviceNodes: [{path: /dev/x, type: x}]\n"),
	  "the type is none of b, c, u, p" },
	{ DEVICE("    deviceNodes: [{path: /dev/x, major: a}]\n"), "major: not a whole number" },
	{ DEVICE("    deviceNodes: [{path: /dev/x, permissions: rwx}]\n"), "not of r, w and m" },
	{ DEVICE("    mounts: [{hostPath: /x}]\n"), "mounts[0].containerPath: missing" },
	{ DEVICE("    mounts: [{hostPath: /x, containerPath: /y, options: ro}]\n"),
	  "mounts[0].options: not a list" },
	{ DEVICE("    hooks: [{hookName: x, path: /x}]\n"), "hookName: no hook has that name" },
	{ DEVICE("    hooks: [{hookName: poststop}]\n"), "hooks[0].path: missing" },
	{ DEVICE("    hooks: [{hookName: poststop, path: x}]\n"), "path: not an absolute path" },
	{ DEVICE("    hooks: [{hookName: poststop, path: /x, args: [1]}]\n"),
	  "args[0]: not a string" },
	{ DEVICE("    additionalGids: [a]\n"), "additionalGids[0]: not a whole number" },
	{ DEVICE("    netDevices: [{name: a}]\n"), "netDevices[0].hostInterfaceName: missing" },
	{ DEVICE("    intelRdt: {more: 1}\n"), "intelRdt.more: an unknown member" },
	{ DEVICE("    intelRdt: {enableMonitoring: 1}\n"), "neither true nor false" },
};

static void test_bad_files(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	for (size_t i = 0; i < ELEMENTS(bad_files); i++) {
		int r = cdi_host_try(&h, bad_files[i].text, "v.com/c=x");

		ok(r == -ENOENT && strstr(h.e.msg, bad_files[i].message), "%s",
		   bad_files[i].message);
		if (!strstr(h.e.msg, bad_files[i].message))
			diag("got: %s", h.e.msg);
	}
	is_int(cdi_host_try(&h,
			    "cdiVersion: v1.1.0\nkind: v.com/c\ncontainerEdits: ~\n"
			    "devices: [{name: x, annotations: {a: b}, containerEdits: {hooks: ~, "
			    "additionalGids: [44]}}]\n",
			    "v.com/c=x"),
	       0, "null is absent; groups; a version with v");
	cdi_host_free(&h);
}

/* ---- what is not given -------------------------------------------------------------------------- */

static const struct bad_device {
	const char *text;
	int code;
	const char *message, *hint;
} bad_devices[] = {
	{ DEVICE("    deviceNodes: [{path: /dev/nvidia7, major: 195, minor: 7, type: c}]\n"),
	  ENOENT, "v.com/c=x: /dev/nvidia7: node missing (/etc/cdi/v.yaml)", "stale" },
	{ DEVICE("    deviceNodes: [{path: /dev/barred}]\n"), EPERM, "/dev/barred: Operation not",
	  "device cgroup" },
	{ DEVICE("    deviceNodes: [{path: /dev/ro}]\n"), EACCES, "/dev/ro: Permission", "ls -l" },
	{ DEVICE("    deviceNodes: [{path: /dev/sda, type: b}]\n"), ENOTSUP,
	  "v.com/c=x: /dev/sda: only character devices", "" },
	{ DEVICE("    deviceNodes: [{path: /dev/fifo, type: p}]\n"), ENOTSUP, "/dev/fifo: only",
	  "" },
	{ DEVICE("    deviceNodes: [{path: /dev/../etc/x, hostPath: /dev/nvidia0}]\n"), EINVAL,
	  "/etc/x: a device node outside of /dev", "" },
	{ DEVICE("    deviceNodes: [{path: /dev, hostPath: /dev/nvidia0}]\n"), EINVAL,
	  "/dev: a device node outside of /dev", "" },
	{ DEVICE("    netDevices: [{hostInterfaceName: a, name: b}]\n"), ENOTSUP,
	  "v.com/c=x: it wants netDevices", "" },
	{ DEVICE("    intelRdt: {closID: a, schemata: [b], enableMonitoring: true}\n"), ENOTSUP,
	  "it wants intelRdt", "" },
	{ DEVICE("    mounts: [{hostPath: /gone, containerPath: /y}]\n"), ENOENT,
	  "v.com/c=x: /gone: No such file or directory (/etc/cdi/v.yaml)", "stale" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /y, options: [shared]}]\n"), ENOTSUP,
	  "mount on /y: the option shared is not known", "" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /y, type: tmpfs}]\n"), ENOTSUP,
	  "mount on /y: of type tmpfs", "" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /y/..}]\n"), ENOTSUP,
	  "mount on /: that is the whole container", "" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /proc/x}]\n"), ENOTSUP,
	  "mount on /proc/x: ", "" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /sys}]\n"), ENOTSUP,
	  "mount on /sys: ", "" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /dev/x}]\n"), ENOTSUP,
	  "mount on /dev/x: ", "" },
	{ DEVICE("    mounts: [{hostPath: /opt, containerPath: /.gpurun/lib64}]\n"), ENOTSUP,
	  "mount on /.gpurun/lib64: ", "" },
	{ DEVICE("    mounts: [{hostPath: /fifo, containerPath: /y}]\n"), ENOTSUP,
	  "neither a file, a directory nor a socket", "" },
	{ DEVICE("    mounts: [{hostPath: /x, containerPath: /usr/lib64/libcuda.so.535.54.03}]\n"),
	  ENOENT, "/etc/cdi/v.yaml is of driver 535.54.03, the kernel module is of 550.163.01",
	  "stale" },
	{ DEVICE("    hooks: [{hookName: prestart, path: /opt/vendor/hook, args: [nvidia-cdi-hook, "
		 "noop]}]\n"),
	  ENOTSUP, "v.com/c=x: its hook /opt/vendor/hook would have to run", "never run" },
	{ DEVICE("    hooks: [{hookName: prestart, path: /usr/bin/nvidia-ctk, args: [nvidia-ctk, "
		 "cdi, generate]}]\n"),
	  ENOTSUP, "its hook /usr/bin/nvidia-ctk would have to run", "never run" },
	{ DEVICE(HOOK("create-symlinks, --link, /etc/passwd")), EINVAL,
	  "the link /etc/passwd: not TARGET::LINK", "" },
	{ DEVICE(HOOK("create-symlinks, --link, \"a::b\"")), EINVAL, "not TARGET::LINK", "" },
	{ DEVICE(HOOK("create-symlinks, --link, \"a::/root/b\"")), EINVAL,
	  "the link a::/root/b: not below /dev, /usr,", "" },
	{ DEVICE(HOOK("create-symlinks, --link, \"a::/usr/../proc/b\"")), EINVAL, "not below", "" },
	{ DEVICE(HOOK("create-symlinks, --link, \"a::/usr\"")), EINVAL, "not below", "" },
};

static void test_bad_devices(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	ok(mkfifo(tree_path(&h.tree, "/fifo"), 0600) == 0, "a FIFO is there");
	for (size_t i = 0; i < ELEMENTS(bad_devices); i++) {
		const struct bad_device *b = &bad_devices[i];
		int r = cdi_host_try(&h, b->text, "v.com/c=x");

		ok(r == -b->code && strstr(h.e.msg, b->message) && strstr(h.e.hint, b->hint), "%s",
		   b->message);
		if (r != -b->code || !strstr(h.e.msg, b->message) || !strstr(h.e.hint, b->hint))
			diag("got %d: %s (%s)", r, h.e.msg, h.e.hint);
	}
	cdi_host_free(&h);
}

/* What is left out, passed over or replaced without an error. */
static void test_lenient(struct arena *a)
{
	struct cdi_host h;

	cdi_host_new(&h, a);
	is_int(cdi_host_try(&h, DEVICE("    deviceNodes: [{path: /dev/dri/card0}]\n"), "v.com/c=x"),
	       0, "a node of /dev/dri that is not for us");
	ok(h.sight.nodes.n == 0 && h.warn.n == 1 && strstr(h.warn.v[0], "/dev/dri/card0"),
	   "is left out with a warning");
	is_int(cdi_host_try(&h, DEVICE("    deviceNodes: [{path: /dev/ro, permissions: rm}]\n"),
			    "v.com/c=x"),
	       0, "a node to be read only needs no more");
	is_int(cdi_host_try(&h, DEVICE(HOOK("new-thing, --x")), "v.com/c=x"), 0,
	       "a hook of NVIDIA's that is new");
	ok(h.warn.n == 1 && strstr(h.warn.v[0], "the hook \"new-thing\" is not known"),
	   "is a warning");
	is_int(cdi_host_try(
		       &h,
		       DEVICE("    hooks:\n"
			      "    - {hookName: createContainer, path: /x/nvidia-cdi-hook, args: "
			      "[h, enable-cuda-compat]}\n"
			      "    - {hookName: createContainer, path: /x/nvidia-cdi-hook, args: "
			      "[h, --debug, chmod]}\n"
			      "    - {hookName: createContainer, path: /x/nvidia-ctk, args: [h, "
			      "hook, update-application-profile]}\n"),
		       "v.com/c=x"),
	       0, "hooks without effect");
	is_int(h.warn.n, 0, "are no warning");
	is_int(cdi_host_try(
		       &h,
		       DEVICE("    deviceNodes: [{path: /dev/a, hostPath: /dev/nvidia0}, {path: "
			      "/dev/a, hostPath: /dev/nvidia1, type: u}]\n"
			      "    mounts: [{hostPath: /usr/bin/nvidia-smi, containerPath: "
			      "/opt/a/b}, {hostPath: /opt, containerPath: /c}, {hostPath: "
			      "/opt/vendor/lib/file, containerPath: /opt/a//b/}]\n"),
		       "v.com/c=x"),
	       0, "the same path twice");
	is_str(cdi_host_text(&h),
	       "node /dev/nvidia1 /dev/a c301 CDI v.com/c=x\n"
	       "file /opt/vendor/lib/file /opt/a/b 6 1\n"
	       "dir /opt /c 6 0\n"
	       "params ModifyDeviceFiles: 0\n",
	       "the later one counts");
	cdi_host_away(&h, "/proc/driver/nvidia/params");
	is_int(cdi_host_try(&h, ENV("a"), "v.com/c=x"), 0, "a host without NVIDIA's module");
	ok(!h.sight.proc_params && !h.sight.driver, "has no params and no driver");
	cdi_host_free(&h);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);

	test_names();
	test_whole(a);
	test_edits(a);
	test_native_first(a);
	test_libraries(a);
	test_directories(a);
	test_unknown(a);
	test_trust(a);
	test_bad_files(a);
	test_bad_devices(a);
	test_lenient(a);
	return done_testing();
}
