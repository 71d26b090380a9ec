// SPDX-License-Identifier: Apache-2.0
/*
 * docker.c - the archive that docker save writes (and skopeo's docker-archive):
 *
 *	manifest.json	[ { "Config": NAME, "RepoTags": [ NAME:TAG ] or null, "Layers": [ NAME ] } ]
 *
 * Config and Layers name members of the archive, the bottom layer first.  Members may be links
 * to one another.  A layer is proven by its diff_id in the config, the config by its name where
 * that is a digest.
 */
#include <errno.h>

#include <gpurun/json.h>
#include <gpurun/str.h>

#include "source.h"

#define DOCKER_IMAGES_MAX 1000

/* The name of a member as manifest.json writes it: inside the archive, or refused. */
static int docker_name(struct image_source *s, const char *what, const char *text, const char **ret,
		       struct err *e)
{
	struct strv parts = { 0 };

	str_split(s->a, text, '/', &parts);
	for (size_t i = 0; i < parts.n; i++)
		if (*text == '/' || str_eq(parts.v[i], ".."))
			return err_set(e, EINVAL, "%s: manifest.json: %s %.200s leaves the archive",
				       s->label, what, text);
	*ret = path_clean(s->a, text) + 1;
	if (!**ret)
		return err_set(e, EINVAL, "%s: manifest.json: %s is empty", s->label, what);
	return 0;
}

/* The digest that a member's name promises, or NULL: "HEX.json", "blobs/sha256/HEX", "sha256:HEX" */
static const char *docker_name_digest(struct arena *a, const char *name)
{
	const char *hex = str_after(name, "blobs/sha256/");

	if (!hex)
		hex = str_after(name, "sha256:");
	if (!hex)
		hex = name;
	if (strlen(hex) < IMAGE_ID_HEX || !num_is_hex(hex, IMAGE_ID_HEX))
		return NULL;
	if (hex[IMAGE_ID_HEX] != '\0' && !str_eq(hex + IMAGE_ID_HEX, ".json"))
		return NULL;
	return arena_strndup(a, hex, IMAGE_ID_HEX);
}

static int docker_layer(struct image_source *s, const char *text, struct image_layer *ret,
			struct err *e)
{
	const char *blobs;
	int r;

	*ret = (struct image_layer){ .size = -1 };
	r = docker_name(s, "layer", text, &ret->blob, e);
	if (r < 0)
		return r;
	r = blob_size(s, ret->blob, &ret->size, e);
	if (r < 0)
		return r;
	blobs = str_after(ret->blob, "blobs/sha256/");
	if (blobs && strlen(blobs) == IMAGE_ID_HEX && num_is_hex(blobs, IMAGE_ID_HEX))
		ret->digest = blobs;
	return 0;
}

static int docker_layers(struct image_source *s, const struct json *image, struct image_manifest *m,
			 struct err *e)
{
	struct strv names = { 0 };
	int r;

	if (json_strv(s->a, image, "Layers", &names) < 0)
		return err_set(e, EINVAL, "%s: manifest.json: Layers is not an array of strings",
			       s->label);
	if (names.n > IMAGE_LAYERS_MAX)
		return err_set(e, E2BIG, "%s: %zu layers, more than %d", s->label, names.n,
			       IMAGE_LAYERS_MAX);
	m->layers = ARENA_ARRAY(s->a, struct image_layer, names.n);
	m->n_layers = names.n;
	for (size_t i = 0; i < names.n; i++) {
		r = docker_layer(s, names.v[i], &m->layers[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One file cannot be two different layers. */
static int docker_check_layers(const struct image_source *s, const struct image_manifest *m,
			       struct err *e)
{
	for (size_t i = 0; i < m->n_layers; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(m->layers[i].blob, m->layers[k].blob) &&
			    !str_eq(m->layers[i].diff_id, m->layers[k].diff_id))
				return err_set(e, EINVAL, "%s: %s has two different diff_ids",
					       s->label, m->layers[i].blob);
	return 0;
}

static int docker_image(struct image_source *s, const struct json *image, const char *arch,
			struct image_manifest *m, struct err *e)
{
	const char *config = json_str(image, "Config"), *text;
	size_t len;
	int r;

	if (!config)
		return err_set(e, EINVAL, "%s: manifest.json: Config is not a string", s->label);
	r = docker_name(s, "Config", config, &config, e);
	if (r < 0)
		return r;
	r = source_read_document(s, config, docker_name_digest(s->a, config), -1, &text, &len,
				 m->config_id, e);
	if (r < 0)
		return r;
	r = docker_layers(s, image, m, e);
	if (r < 0)
		return r;
	r = manifest_set_config(s, text, len, arch, m, e);
	return r < 0 ? r : docker_check_layers(s, m, e);
}

/* One element of manifest.json as one of the images to choose from. */
static int docker_choice(struct image_source *s, const struct json *image, size_t position,
			 struct choice *ret, struct err *e)
{
	if (image->type != JSON_OBJECT)
		return err_set(e, EINVAL, "%s: manifest.json: element %zu is not an object",
			       s->label, position);
	if (json_strv(s->a, image, "RepoTags", &ret->names) < 0)
		return err_set(e, EINVAL, "%s: manifest.json: RepoTags is not an array of strings",
			       s->label);
	ret->key = arena_printf(s->a, "%zu", position);
	ret->position = position;
	return 0;
}

int docker_open(struct image_source *s, const char *arch, struct image_manifest *ret, struct err *e)
{
	struct image_manifest m = { 0 };
	const struct json *doc, *image;
	struct choice *c;
	const char *text;
	size_t len, i = 0;
	int r;

	r = source_read_document(s, "manifest.json", NULL, -1, &text, &len, NULL, e);
	if (r < 0)
		return r;
	r = json_parse(s->a, text, len, arena_printf(s->a, "%s: manifest.json", s->label), &doc, e);
	if (r < 0)
		return r;
	if (doc->type != JSON_ARRAY)
		return err_set(e, EINVAL, "%s: manifest.json: not an array", s->label);
	if (doc->count > DOCKER_IMAGES_MAX)
		return err_set(e, E2BIG, "%s: more than %d images", s->label, DOCKER_IMAGES_MAX);
	c = ARENA_ARRAY(s->a, struct choice, doc->count);
	for (image = doc->child; image; image = image->next, i++) {
		r = docker_choice(s, image, i, &c[i], e);
		if (r < 0)
			return r;
	}
	r = choose_by_tag(s, c, doc->count, e);
	if (r < 0)
		return r;
	for (i = 0, image = doc->child; image && !c[i].chosen; i++)
		image = image->next;
	m.name = c[i].name;
	r = docker_image(s, image, arch, &m, e);
	if (r == 0)
		*ret = m;
	return r;
}
