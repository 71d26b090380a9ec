/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - compare layers and trees with their lists.
 *
 * The list tells a history: it is read to its end into a table of paths (the last word about
 * each, and when it was removed), and then the disk is compared with the table, both ways.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "crc.h"
#include "listing.h"
#include "seen.h"
#include "tree.h"
#include "walk.h"

/*
 * What a table may take: so much for each byte of the list, which a list without the directories of
 * its paths would exceed, and no more than this, which is enough for UNPACK_ENTRIES_MAX paths.
 */
#define VERIFY_ROOM     ((size_t)4 << 30)
#define VERIFY_FACTOR   16
#define VERIFY_LEAST    ((size_t)1 << 20)
#define VERIFY_OVERHEAD 32 /* of an object in an arena, at most */
#define VERIFY_FIRST    ((size_t)1 << 12)

/*
 * struct word - what the list says of a path
 * @next:   the one that was met first after it; the directory @above comes before
 * @said, @opaque, @gone: the number of the record that last described it, called it opaque,
 *	    removed it (when all is read: or a directory above it); 0: none did
 */
struct word {
	struct word *above, *next;
	enum listing_type type;
	unsigned int mode;
	uint64_t size;
	uint32_t crc;
	uint64_t said, opaque, gone;
	bool met; /* on the disk */
	uint16_t len;
	char path[];
};

struct table {
	struct arena *arena;
	struct word **v, *first, **last;
	size_t n, cap, room;
	int full; /* what it means when there is no room; -errno */
	uint64_t records;
};

struct check {
	struct table table;
	int fs;
	const char *what; /* "layers/HEX" */
	void (*report)(void *arg, const char *what, const char *why);
	void *arg;
	struct arena *arena; /* for messages */
	bool quick;          /* read no contents but those of files with holes */
	int damaged;
	int failed; /* quick: what kept us from looking; -errno */
};

/*
 * Is it the host that fails, and not what was looked at?  A user who asks is told either way; where
 * the damaged goes for it (quick), nothing may go for want of a descriptor.
 */
static bool host_failed(struct check *c, int err)
{
	static const int of_host[] = { EMFILE, ENFILE, ENOMEM, EIO, EINTR };

	for (size_t i = 0; c->quick && i < ELEMENTS(of_host); i++) {
		if (err == of_host[i])
			c->failed = -err;
	}
	return c->failed < 0;
}

static void damage(struct check *c, const char *path, const char *why)
{
	c->damaged++;
	if (c->report)
		c->report(c->arg, arena_printf(c->arena, "%s/fs/%s", c->what, path), why);
}

/* ---- the table -------------------------------------------------------------------------- */

static struct word **table_slot(const struct table *t, const char *path, size_t len)
{
	static const uint64_t key[2] = { 1, 2 }; /* damage is looked for here, not malice */
	size_t i = (size_t)siphash(key, path, len) & (t->cap - 1);

	while (t->v[i] && (t->v[i]->len != len || memcmp(t->v[i]->path, path, len) != 0))
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

static int table_begin(struct table *t, int list)
{
	struct stat st;

	if (fstat(list, &st) < 0)
		return -errno;
	t->room = VERIFY_ROOM;
	t->full = -EFBIG;
	if ((uint64_t)st.st_size < (VERIFY_ROOM - VERIFY_LEAST) / VERIFY_FACTOR) {
		t->room = (size_t)st.st_size * VERIFY_FACTOR + VERIFY_LEAST;
		t->full = -EBADMSG;
	}
	t->arena = arena_new(t->room);
	t->room -= LISTING_BUFFER + VERIFY_OVERHEAD;
	t->cap = VERIFY_FIRST;
	t->room -= t->cap * sizeof(struct word *) + VERIFY_OVERHEAD;
	t->v = ARENA_ARRAY(t->arena, struct word *, t->cap);
	t->last = &t->first;
	return 0;
}

static bool table_takes(struct table *t, size_t size)
{
	if (size + VERIFY_OVERHEAD > t->room)
		return false;
	t->room -= size + VERIFY_OVERHEAD;
	return true;
}

static int table_double(struct table *t)
{
	struct table old = *t;

	if (!table_takes(t, 2 * t->cap * sizeof(struct word *)))
		return t->full;
	t->cap *= 2;
	t->v = ARENA_ARRAY(t->arena, struct word *, t->cap);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.v[i])
			*table_slot(t, old.v[i]->path, old.v[i]->len) = old.v[i];
	}
	return 0;
}

static int table_add(struct table *t, const char *path, size_t len, struct word *above,
		     struct word **ret)
{
	struct word *w;

	if ((t->n + 1 > t->cap / 2 && table_double(t) < 0) || !table_takes(t, sizeof(*w) + len + 1))
		return t->full;
	w = arena_alloc(t->arena, sizeof(*w) + len + 1);
	w->above = above;
	w->len = (uint16_t)len;
	memcpy(w->path, path, len);
	*table_slot(t, path, len) = w;
	t->n++;
	*t->last = w;
	t->last = &w->next;
	*ret = w;
	return 0;
}

/* Where the name of the directory ends that @path's first @len bytes are in. */
static size_t dir_len(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

/* The word of a path, made with those of the directories above it where they are missing. */
static int table_get(struct table *t, const char *path, struct word **ret)
{
	size_t len = strlen(path), n = len;
	struct word *w = *table_slot(t, path, n);
	int r = 0;

	while (!w && n > 0) {
		n = dir_len(path, n);
		w = *table_slot(t, path, n);
	}
	if (!w)
		r = table_add(t, path, 0, NULL, &w);
	while (r == 0 && n < len) {
		n += 1 + strcspn(path + n + 1, "/");
		r = table_add(t, path, n, w, &w);
	}
	*ret = w;
	return r;
}

static int table_hear(struct table *t, const struct listing_entry *e)
{
	struct word *w, *other = NULL;
	int r = table_get(t, e->path, &w);

	if (r == 0 && e->type == LISTING_HARD)
		r = table_get(t, e->target, &other);
	if (r < 0)
		return r;
	t->records++;
	if (e->type == LISTING_GONE) {
		w->gone = t->records;
		return 0;
	}
	if (e->type == LISTING_OPAQUE) {
		w->opaque = t->records;
		return 0;
	}
	w->type = other ? other->type : e->type;
	w->mode = other ? other->mode : e->mode;
	w->size = other ? other->size : e->size;
	w->crc = other ? other->crc : e->crc;
	w->said = t->records;
	return 0;
}

static int table_read(struct table *t, int list)
{
	struct listing_header h;
	struct listing_reader reader;
	struct listing_entry e;
	int r = listing_open(t->arena, list, &reader, &h);

	while (r == 0 && (r = listing_next(&reader, &e)) > 0)
		r = table_hear(t, &e);
	for (struct word *w = t->first; w; w = w->next) {
		if (w->above && w->above->gone > w->gone)
			w->gone = w->above->gone;
	}
	return r;
}

static bool word_is_gone(const struct word *w)
{
	return w->said == 0 || w->gone > w->said;
}

/* ---- the disk --------------------------------------------------------------------------- */

static bool type_fits(const struct word *w, const struct stat *st)
{
	switch (w->type) {
	case LISTING_FILE:
		return S_ISREG(st->st_mode);
	case LISTING_DIR:
		return S_ISDIR(st->st_mode);
	case LISTING_LINK:
		return S_ISLNK(st->st_mode);
	case LISTING_FIFO:
		return S_ISFIFO(st->st_mode);
	case LISTING_WHITEOUT:
		return tree_is_whiteout(st);
	case LISTING_HARD:
	case LISTING_GONE:
	case LISTING_OPAQUE:
		break;
	}
	return false;
}

/*
 * What a machine that goes down has not written yet is missing from the end of a file, or it is a
 * hole in it: of extents that were allocated and not written (ext4), or below a size that was set.
 */
static bool file_is_solid(int fd, uint64_t size)
{
	off_t hole = size > 0 ? lseek(fd, 0, SEEK_HOLE) : 0;

	return hole >= 0 && (uint64_t)hole >= size;
}

static const char *check_file(struct check *c, const struct word *w, int dirfd, const char *name)
{
	_cleanup_fd_ int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint32_t crc = 0;
	int r = fd < 0 ? -errno : 0;

	if (fd >= 0 && c->quick && file_is_solid(fd, w->size))
		return NULL;
	if (r == 0)
		r = crc_file(fd, w->size, &crc);
	if (r < 0)
		return host_failed(c, -r) ? NULL : "it cannot be read";
	return crc == w->crc ? NULL : "the contents have changed";
}

static const char *check_link(const struct word *w, int dirfd, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0)
		return "it cannot be read";
	return (uint64_t)n == w->size && crc_update(0, target, (size_t)n) == w->crc
		       ? NULL
		       : "the link's target has changed";
}

static const char *check_opaque(int dirfd, const char *name)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char value;

	if (fd >= 0 && fgetxattr(fd, TREE_OPAQUE, &value, 1) == 1 && value == 'y')
		return NULL;
	return "the mark of an opaque directory is missing";
}

static const char *check_one(struct check *c, const struct word *w, int dirfd, const char *name,
			     const struct stat *st)
{
	if (!type_fits(w, st))
		return "it is of another type";
	if ((w->type == LISTING_FILE || w->type == LISTING_DIR || w->type == LISTING_FIFO) &&
	    (st->st_mode & 07777) != w->mode)
		return "the mode has changed";
	if (w->type == LISTING_FILE && (uint64_t)st->st_size != w->size)
		return "the size has changed";
	if (w->type == LISTING_FILE)
		return check_file(c, w, dirfd, name);
	if (w->type == LISTING_LINK)
		return check_link(w, dirfd, name);
	if (w->type == LISTING_DIR && w->opaque > w->gone)
		return check_opaque(dirfd, name);
	return NULL;
}

static int visit(void *arg, const struct walk_entry *e)
{
	struct check *c = arg;
	struct word *w = *table_slot(&c->table, e->path, strlen(e->path));
	const char *why;

	if (!w || word_is_gone(w)) {
		damage(c, e->path, "it was not there when the image was unpacked");
		return 0;
	}
	w->met = true;
	why = check_one(c, w, e->dirfd, e->name, &e->st);
	if (why)
		damage(c, e->path, why);
	return 0;
}

static void report_missing(struct check *c)
{
	for (const struct word *w = c->table.first; w; w = w->next) {
		if (*w->path && !w->met && !word_is_gone(w))
			damage(c, w->path, "it is missing");
	}
}

static int check_opened(struct check *c, int list)
{
	const struct word *root;
	struct stat st;
	int r = table_begin(&c->table, list);

	if (r == 0)
		r = table_read(&c->table, list);
	if (r < 0) {
		if (!host_failed(c, -r))
			damage(c, "", r == -EBADMSG ? "the list is damaged" : err_text(-r));
		return c->failed;
	}
	root = *table_slot(&c->table, "", 0);
	if (fstat(c->fs, &st) == 0 && root && (st.st_mode & 07777) != root->mode)
		damage(c, "", "the mode has changed");
	r = walk_tree(c->fs, visit, c);
	if (r == 0)
		report_missing(c);
	else if (!host_failed(c, -r))
		damage(c, "", err_text(-r));
	return c->failed;
}

static int check_directory(struct check *c, const struct place *p, const char *dir,
			   const char *name)
{
	char path[PATH_MAX];
	_cleanup_fd_ int list = -1;
	int r;

	c->what = arena_printf(c->arena, "%s/%s", dir, name);
	(void)snprintf(path, sizeof(path), "%s/list", c->what);
	list = openat(p->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s/fs", c->what);
	if (list >= 0)
		c->fs = openat(p->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (list < 0 || c->fs < 0) {
		if (!host_failed(c, errno))
			damage(c, "", "fs or list is missing");
		return c->failed;
	}
	memset(&c->table, 0, sizeof(c->table));
	r = check_opened(c, list);
	arena_free(c->table.arena);
	c->fs = fd_close(c->fs);
	return r;
}

static int check_all(struct check *c, const struct place *p, const char *dir)
{
	_cleanup_fd_ int fd = openat(p->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return -errno;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		r = check_directory(c, p, dir, name);
		if (r < 0)
			return r;
	}
	return r;
}

int verify_quick(const struct place *p, const char *dir, const char *name)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct check c = { .arena = a, .fs = -1, .quick = true };
	int r = crc_load(NULL);

	if (r == 0)
		r = check_directory(&c, p, dir, name);

	return r < 0 ? r : c.damaged;
}

int store_verify(struct store *s, struct arena *a,
		 void (*report)(void *arg, const char *what, const char *why), void *arg,
		 struct err *e)
{
	struct check c = { .report = report, .arg = arg, .arena = a, .fs = -1 };
	_cleanup_fd_ int lock = -1;
	int r = crc_load(e);

	if (r < 0)
		return r;
	lock = lock_open(&s->own, LOCK_STORE, false, LOCK_WAIT, NULL,
			 e); /* nothing goes meanwhile */
	if (lock < 0)
		return lock;
	r = check_all(&c, &s->own, STORE_LAYERS);
	if (r == 0)
		r = check_all(&c, &s->own, STORE_TREES);
	return r < 0 ? err_sys(e, -r, "%s/" STORE_VERSION, s->own.path) : c.damaged;
}
