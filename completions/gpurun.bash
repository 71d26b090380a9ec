# SPDX-License-Identifier: Apache-2.0
# bash completion for gpurun: the program itself knows the answers (gpurun __complete)
_gpurun()
{
	local word line i glue='' also=:none
	local -a words=()
	# bash cuts words at '=' and ':'; here they are put together again
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i > 1)) && [[ $glue || $word =~ ^[=:]+$ ]]; then
			words[-1]+=$word
			[[ $word =~ ^[=:]+$ ]] && glue=1 || glue=''
		else
			words+=("$word")
		fi
	done
	word=${words[-1]##*[=:]} COMPREPLY=()
	while IFS= read -r line; do
		[[ $line == :* ]] && also=$line && continue
		line=${line%%$'\t'*} COMPREPLY+=("${line#"${words[-1]%"$word"}"}")
		[[ $line == *= ]] && compopt -o nospace
	done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
	case $also:${#COMPREPLY[@]} in
	:files:0) compopt -o default ;;
	:dirs:*) compopt -o dirnames ;;
	:files:*) compopt -o filenames; mapfile -tO "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word") ;;
	esac
}
complete -F _gpurun gpurun
