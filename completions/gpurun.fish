# SPDX-License-Identifier: Apache-2.0
# fish completion for gpurun: the program itself knows the answers (gpurun __complete)
function __gpurun_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l also :none
    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        if string match -q ':*' -- $line
            set also $line
        else
            echo $line
        end
    end
    set -l parts (string match -r '^(-[^=]*=)?(.*)$' -- (commandline -ct))
    switch $also
        case :files
            string replace -r '^' -- "$parts[2]" (__fish_complete_path "$parts[3]")
        case :dirs
            string replace -r '^' -- "$parts[2]" (__fish_complete_directories "$parts[3]")
    end
end
complete -c gpurun -f -a '(__gpurun_complete)'
