/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names and numbers, also against what the running kernel knows. */
#include <gpurun/profile.h>

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <tap.h>

int main(void)
{
	unsigned int wrong = 0;

	for (int i = 0; i <= 40; i++) {
		const char *name = profile_cap_name(i);

		if (!name || profile_cap(name) != i || profile_cap(name + 4) != i)
			wrong++;
	}
	is_int(wrong, 0, "every number has a name that leads back to it");
	is_int(profile_cap("CAP_SYS_ADMIN"), CAP_SYS_ADMIN, "full name");
	is_int(profile_cap("cap_sys_admin"), CAP_SYS_ADMIN, "lower case");
	is_int(profile_cap("net_bind_service"), CAP_NET_BIND_SERVICE, "without the prefix");
	is_int(profile_cap("CHOWN"), 0, "number zero");
	is_int(profile_cap("ALL"), -EINVAL, "ALL is not a capability");
	is_int(profile_cap(""), -EINVAL, "the empty name");
	is_int(profile_cap("CAP_"), -EINVAL, "the prefix alone");
	is_int(profile_cap("CHOWN "), -EINVAL, "trailing space");
	is_int(profile_cap("CAP_CAP_CHOWN"), -EINVAL, "the prefix twice");
	ok(!profile_cap_name(-1) && !profile_cap_name(41) && !profile_cap_name(64),
	   "no name out of range");
	ok(prctl(PR_CAPBSET_READ, CAP_CHECKPOINT_RESTORE) >= 0 ||
		   prctl(PR_CAPBSET_READ, CAP_AUDIT_READ) >= 0,
	   "the kernel knows numbers of the table");
	return done_testing();
}
