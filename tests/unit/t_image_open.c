// SPDX-License-Identifier: Apache-2.0
/* What a file is taken for, and what is written while it is read. */
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "images.h"

#define NO ((struct bytes){ 0 })

static void is_plain(struct bytes file, const char *what)
{
	struct opened o;

	image_try(&o, file, "");
	ok(o.r == 0 && o.m.n_layers == 1 && !o.m.layers[0].diff_id && !o.m.layers[0].digest &&
		   !o.m.config_id[0],
	   "%s is a root file system %s", what, o.e.msg);
	ok(o.r == 0 && o.m.layers[0].size == (int64_t)file.n && layer_is(&o, 0, file),
	   "%s, as it is", what);
	image_done(&o);
}

static struct bytes tar_of(const char *const *names)
{
	struct bytes t = { 0 };

	for (; *names; names++)
		tar_add(&t, *names, (*names)[strlen(*names) - 1] == '/' ? '5' : '0', NULL, NO);
	tar_end(&t);
	return t;
}

/* A pax header in front of an entry: "path" says the name. */
static struct bytes tar_pax(const char *path)
{
	struct bytes t = { 0 };
	size_t n = strlen(path) + strlen("nn path=\n"); /* of two digits */

	tar_add(&t, "PaxHeader", 'x', NULL, bytes_of(text_of("%zu path=%s\n", n, path)));
	tar_add(&t, "short", '0', NULL, bytes_of("x"));
	tar_end(&t);
	return t;
}

static void test_plain(void)
{
	static const char *const root[] = { "./", "./bin/", "./bin/sh", NULL };
	static const char *const bare[] = { "bin/sh", NULL };
	static const char *const absolute[] = { "/bin/sh", NULL };
	static const char *const up[] = { "../bin/sh", NULL };
	static const char *const late[] = { "bin/", "manifest.json", "oci-layout", "index.json",
					    NULL };
	static const char *const like[] = { "blobs/", "blobs/x", "bin/sh", NULL };
	static const char *const has[] = { "manifest.json", "usr/bin/env", NULL };
	static const char *const only[] = { "oci-layout", NULL };
	static const char *const dots[] = { "./", NULL };
	struct bytes empty = { 0 };

	is_plain(tar_of(root), "./bin");
	is_plain(tar_of(bare), "bin/sh");
	is_plain(tar_of(absolute), "/bin/sh");
	is_plain(tar_of(up), "../bin/sh");
	is_plain(tar_of(late), "a tar with manifest.json behind bin/");
	is_plain(tar_of(like), "a tar with blobs/ in front of bin/");
	is_plain(tar_of(has), "a tar with manifest.json in front of usr/");
	is_plain(tar_of(only), "oci-layout without index.json");
	is_plain(tar_of(dots), "nothing but ./");
	is_plain(tar_pax("bin/\xc3\xa9"), "a pax name in UTF-8");
	is_plain(tar_pax("bin/\xff\xfe"), "a pax name in no encoding");
	tar_end(&empty);
	refused(empty, "", EINVAL, "not an image", "a tar without entries");
}

/* Compressed, a root file system that looks like an archive at first is spooled and still one. */
static void test_compressed_plain(void)
{
	static const char *const like[] = { "blobs/", "blobs/x", "bin/sh", NULL };
	struct bytes tar = tar_of(like);
	struct opened o;

	image_try(&o, filter("gzip -c", tar), "");
	ok(o.r == 0 && layer_is(&o, 0, tar), "a compressed tar with blobs/ in front %s", o.e.msg);
	ok(o.r == 0 && o.m.layers[0].size == (int64_t)tar.n, "read from the spool");
	image_done(&o);
}

static void test_foreign(void)
{
	static const struct {
		const char *magic, *text;
		size_t offset;
		int code;
	} cases[] = {
		{ "hsqs", "squashfs", 0, ENOTSUP },
		{ "SIF_MAGIC", "apptainer", 32, ENOTSUP },
		{ "\xe2\xe1\xf5\xe0", "erofs", 1024, ENOTSUP },
		{ "\x7f"
		  "ELF",
		  "a program", 0, ENOTSUP },
		{ "\x04\x22\x4d\x18", "compressed with lz4", 0, ENOTSUP },
		{ "LZIP\x01", "compressed with lzip", 0, ENOTSUP },
		{ "#!/bin/sh\n", "not an image", 0, EINVAL },
		{ "PK\x03\x04", "not an image", 0, EINVAL },
	};
	struct opened o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = bytes_zero(4096);

		memcpy(b.p + cases[i].offset, cases[i].magic, strlen(cases[i].magic));
		refused(b, "", cases[i].code, cases[i].text, cases[i].text);
	}
	refused(NO, "", EINVAL, "is empty", "an empty file");
	refused(bytes_of("\x1f\x8b"), "", EINVAL, "cut off", "two bytes of gzip");
	refused(bytes_of("h"), "", EINVAL, "not an image", "one byte");
	image_try_fd(&o, open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", NULL);
	ok(o.r == -ENOENT && strstr(o.e.msg, "oci-layout is missing"), "a directory: %s", o.e.msg);
	image_done(&o);
	image_try_fd(&o, open("/dev/null", O_RDONLY | O_CLOEXEC), "", NULL);
	ok(o.r == -EINVAL && strstr(o.e.msg, "regular file"), "a device: %s", o.e.msg);
	image_done(&o);
	refused(tar_layer("bin/sh", "x"), "docker://debian", ENOTSUP, "not a file",
		"a registry's name");
	refused(tar_layer("bin/sh", "x"), "docker-archive:x", EINVAL, "not a docker archive",
		"a root file system as a docker archive");
	refused(tar_layer("bin/sh", "x"), "oci-archive:x", EINVAL, "not an OCI archive",
		"a root file system as an OCI archive");
}

/* Headers of the outer archive that are wrong. */
static void test_broken(void)
{
	struct bytes tar = { 0 }, b;
	static struct files fs;

	tar_add(&tar, "manifest.json", '0', NULL, bytes_of("[]"));
	b = (struct bytes){ .p = tar.p, .n = tar.n - 512 };
	refused(b, "", EINVAL, "", "cut off in a member");
	b = (struct bytes){ 0 };
	bytes_add(&b, tar.p, tar.n);
	tar_add(&b, "index.json", '0', NULL, bytes_of("{}"));
	b.p[1024] ^= 1;
	refused(b, "", EINVAL, "bad tar archive", "a wrong checksum in the second header");
	/* a size that reaches behind the end */
	b = (struct bytes){ 0 };
	tar_add(&b, "manifest.json", '0', NULL, (struct bytes){ .p = tar.p, .n = 1024 });
	b.n -= 512;
	refused(b, "", EINVAL, "", "a member that reaches behind the end");
	for (int i = 0; i < 3; i++)
		files_add(&fs, "manifest.json", bytes_of(text_of("[%d]", i)));
	files_add(&fs, "manifest.json", bytes_of("[]"));
	refused(files_tar(&fs, ""), "", EINVAL, "holds no image",
		"the last of four members counts");
}

static size_t entries(const char *dir)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_spool(void)
{
	static struct files fs;
	struct bytes b;
	char *dir = temp_dir();
	struct opened o;

	files_add(&fs, "manifest.json", bytes_of("[]"));
	b = filter("gzip -c", files_tar(&fs, ""));
	image_try_fd(&o, bytes_fd(b), "", dir);
	ok(o.r == -EINVAL && strstr(o.e.msg, "holds no image"), "a compressed archive: %s",
	   o.e.msg);
	is_int((long)entries(dir), 2, "nothing is left in the spool directory");
	image_done(&o);
	image_try_fd(&o, bytes_fd(b), "", "/proc");
	ok(o.r < 0 && strstr(o.e.msg, "decompressed first") && *o.e.hint, "nowhere to write: %s",
	   o.e.msg);
	image_done(&o);
	b.p[b.n - 1] ^= 1;
	image_try_fd(&o, bytes_fd(b), "", dir);
	ok(o.r == -EINVAL && strstr(o.e.msg, "bad gzip data"), "a broken one: %s", o.e.msg);
	is_int((long)entries(dir), 2, "nothing is left of it, too");
	image_done(&o);
	temp_remove(dir);
}

/* The file gets shorter under our hands. */
static void test_shrink(void)
{
	struct bytes tar = { 0 }, data = bytes_zero(3 << 20);
	struct image_stream *st;
	struct opened o;
	const void *block;
	ssize_t n;

	tar_add(&tar, "bin/sh", '0', NULL, data);
	image_try(&o, tar, "");
	is_int(image_layer_open(o.s, &o.m.layers[0], &st, &o.e), 0, "open");
	ok(image_layer_read(st, &block, &o.e) > 0, "read");
	if (ftruncate(o.fd, 1 << 20) < 0)
		die("ftruncate");
	while ((n = image_layer_read(st, &block, &o.e)) > 0)
		;
	ok(n == -EINVAL && strstr(o.e.msg, "early"), "a file that gets shorter: %s", o.e.msg);
	image_layer_close(st);
	image_done(&o);
}

/*
 * What the worker's sandbox leaves: once the libraries are there, everything is opened by openat2
 * below a descriptor, and nothing else is asked of the file system.
 */
static void no_openat(void)
{
#ifdef __NR_open
	const int old = __NR_open;
#else
	const int old = __NR_openat;
#endif
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)old, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(77);
}

/* In a child: 0 when all of the image could be read. */
static int read_confined(int fd, int spool)
{
	struct image_ref ref = { .path = "x", .text = "x" };
	struct opened o = { .a = arena_new(1U << 30) };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		no_openat();
		o.r = image_open(o.a, fd, &ref, spool, "amd64", &o.s, &o.m, &o.e);
		for (size_t i = 0; o.r == 0 && i < o.m.n_layers; i++)
			o.r = layer_read(&o, i, NULL, NULL);
		_exit(o.r ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	arena_free(o.a);
	close(fd);
	return status;
}

static void test_confined(void)
{
	static const char *const commands[] = { "gzip -c", "xz -c", "bzip2 -c", "zstd -q -c",
						"cat" };
	struct bytes layer = tar_layer("a", "b"), c, tar;
	static struct files fs;
	char *dir = temp_dir();
	int spool = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;

	c = bytes_of(text_of("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
			     digest_of(layer)));
	files_add(&fs, text_of("%s.tar", digest_of(layer)), layer);
	files_add(&fs, text_of("%s.json", digest_of(c)), c);
	files_add(&fs, "manifest.json",
		  bytes_of(text_of("[{\"Config\":\"%s.json\",\"Layers\":[\"%s.tar\"]}]",
				   digest_of(c), digest_of(layer))));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		tar = files_tar(&fs, "");
		status = read_confined(bytes_fd(filter(commands[i], tar)), spool);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip("no seccomp filter here");
		else
			is_int(status, 0, "docker save, %s, in a sandbox", commands[i]);
		tar = tar_pax("bin/\xc3\xa9");
		is_int(read_confined(bytes_fd(filter(commands[i], tar)), spool), 0,
		       "a name in UTF-8, %s, in a sandbox", commands[i]);
	}
	close(spool);
	temp_remove(dir);
}

static void test_sha256(void)
{
	static const char empty[] =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char hex[IMAGE_ID_HEX + 1];
	struct sha256 *h;

	is_str(digest_of(NO), empty, "SHA-256 of nothing");
	is_str(digest_of(bytes_of("abc")), abc, "SHA-256 of abc");
	h = sha256_new(NULL);
	sha256_update(h, "a", 1);
	sha256_update(h, "", 0);
	sha256_update(h, "bc", 2);
	sha256_hex(h, hex);
	sha256_free(h);
	is_str(hex, abc, "in pieces");
	sha256_free(NULL);
}

int main(void)
{
	struct err e = { 0 };

	is_int(image_libs_load(&e), 0, "the libraries are there %s", e.msg);
	is_int(image_libs_load(&e), 0, "and again");
	test_confined(); /* first: nothing was read yet */
	test_plain();
	test_compressed_plain();
	test_foreign();
	test_broken();
	test_spool();
	test_shrink();
	test_sha256();
	return done_testing();
}
