# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion for bash. Verbs and options come from the command's own help, so that there is no second list of them;
# paths after an image come from inside it.

# What is in a directory of the guest: names below it, directories with a slash. Names that are printed escaped are
# left out. An image that takes more than a few seconds to read is not worth a key.
_vitrine_guest_paths()
{
	local cur=$1 dir=/
	shift
	[[ $cur != */* ]] || dir=${cur%/*}/
	[[ $dir == /* ]] || return 0
	"$@" --timeout 3 "$dir" 2>/dev/null </dev/null | sed -nE "
		s/^(.)[^ ]* +[0-9]+ +[0-9]+ +[0-9]+ +[0-9, ]+ -?[0-9]+-[0-9-]+ [0-9:]+ ([^\\\\]*)\$/\1\2/
		t listed
		d
		:listed
		s/^l(.*) -> .*/-\1/
		s/^d(.*)/-\1\//
		s/^.//p" | while IFS= read -r name; do printf '%s%s\n' "$dir" "$name"; done
}

# Whether an option is one that help shows with a value, "-n, --lines N": what follows one space, in capitals.
_vitrine_has_value()
{
	grep -qE -- "^ +(-[a-zA-Z], )?$1(, --[a-z0-9-]+)? [A-Z]" <<<"$2"
}

_vitrine()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[0]}
	local verb=${COMP_WORDS[1]-} help usage word i image='' images=0 common=()
	local IFS=$'\n' before=0

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$command" --help 2>/dev/null | sed -n 's/^  \([a-z]\+\) .*/\1/p')
--help
--version" -- "$cur")
		return
	fi
	help=$("$command" "$verb" -h 2>/dev/null </dev/null) || return 0

	# The value of an option.
	case $prev in
	--with)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
		;;
	--exclude-from)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
		;;
	--format | --format-b | --snapshot | --member | --sector-size | --fs | --limit | --timeout | -d | --device)
		[ "$prev" != --sector-size ] || mapfile -t COMPREPLY < <(compgen -W $'512\n4096' -- "$cur")
		return
		;;
	--table)
		mapfile -t COMPREPLY < <(compgen -W $'gpt\nmbr\nnone' -- "$cur")
		return
		;;
	--sbom)
		mapfile -t COMPREPLY < <(compgen -W $'cyclonedx\nspdx' -- "$cur")
		return
		;;
	-O | --to)
		mapfile -t COMPREPLY < <(compgen -W $'raw\nqcow2' -- "$cur")
		return
		;;
	--compress)
		mapfile -t COMPREPLY < <(compgen -W $'zlib\nzstd' -- "$cur")
		return
		;;
	--max-bytes | --max-allocated | --max-files | --max-file) return ;;
	-f | --file)
		if [ "$verb" = tar ]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			compopt -o filenames
			return
		fi
		;;
	--xattrs)
		mapfile -t COMPREPLY < <(compgen -W $'user\nall' -- "$cur")
		return
		;;
	--allow-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		compopt -o filenames
		return
		;;
	-a | --add) ;;
	-?*) ! _vitrine_has_value "$prev" "$help" || return 0 ;;
	esac

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep -oE '^ +(-[a-zA-Z0-9](, )?)?(--[a-z0-9-]+)?' <<<"$help" |
			grep -oE -- '-(-[a-z0-9-]+|[a-zA-Z0-9])')" -- "$cur")
		return
	fi

	# Which image? The first word that is no option's. What opens it is needed for its paths, too.
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-a | --add) image=${COMP_WORDS[++i]} common+=("$word" "$image") ;;
		--max-bytes | --max-allocated | --max-files | --max-file | --xattrs) ((++i)) ;;
		--allow-dir | --format | --snapshot | --member | --sector-size | --fs | --limit | --timeout | -d | --device)
			common+=("$word" "${COMP_WORDS[++i]}")
			;;
		--follow | --any-parent) common+=("$word") ;;
		-*) ! _vitrine_has_value "$word" "$help" || ((++i)) ;;
		*)
			# The pattern, or what to do, comes before the image.
			if [[ $verb == grep || $verb == reg ]] && [ -z "$image" ] && ((before++ == 0)); then
				continue
			fi
			[ -n "$image" ] || common+=("$word")
			image=${image:-$word}
			((++images))
			;;
		esac
	done
	if [ "$verb" = reg ] && [ "$before" = 0 ]; then
		mapfile -t COMPREPLY < <(compgen -W $'get\nls\nexport\nfind' -- "$cur")
		return
	fi
	usage=${help%%$'\n'*}
	if [ -z "$image" ] || [[ $prev == -a || $prev == --add || $usage != *PATH* ]] ||
		[[ $usage == *IMAGE\ IMAGE* && $images -lt 2 ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
	fi
	# Words are as they were typed: with backslashes before spaces, and a tilde.
	common=("${common[@]//\\/}")
	common=("${common[@]/#\~\//$HOME/}")
	cur=${cur//\\/}
	mapfile -t COMPREPLY < <(_vitrine_guest_paths "$cur" "$command" ls -l "${common[@]}" |
		while IFS= read -r word; do [[ $word != "$cur"* ]] || printf '%q\n' "$word"; done)
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace
}
complete -F _vitrine vitrine
