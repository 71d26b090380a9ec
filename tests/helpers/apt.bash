# SPDX-License-Identifier: Apache-2.0
# For scripts that download with apt, from the mirror that this machine uses already, without rights and
# without changing anything on the machine.
# shellcheck disable=SC2034 # they are for those who load this
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

cannot() {
	echo "$*" >&2
	exit 77
}

# apt_mirror - sets $mirror
apt_mirror() {
	command -v apt-get > /dev/null || cannot "no apt-get here"
	[ -r $keyring ] || cannot "$keyring is missing"
	mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' | grep -m 1 '/debian/\?$') ||
		cannot "no Debian mirror in the sources of this machine's apt"
}

# apt_private DIR SOURCE - the directory is all that apt has; DIR/new is for what comes
apt_private() {
	apt_dir=$1
	mkdir -p "$1"/{lists,archives}/partial "$1/new"
	echo "$2" > "$1/sources.list"
	# read behind the machine's own configuration, which may name a proxy
	cat > "$1/apt.conf" <<- END
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State "$1";
		Dir::State::Lists "$1/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$1";
		Dir::Cache::archives "$1/archives";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::Retries "1";
		Acquire::http::Timeout "15";
		Acquire::https::Timeout "15";
		APT::Sandbox::User "";
	END
}

# apt_bounded ARG... - apt-get, not for ever; what it says is in $apt_dir/log
apt_bounded() {
	timeout -k 5 "${GPURUN_TEST_DOWNLOAD_SECONDS:-180}" apt-get -c "$apt_dir/apt.conf" -qq "$@" \
		> "$apt_dir/log" 2>&1
}
