# shellcheck shell=bash
# bash completion for skynet: verbs, options (from --help), names of participants.
_skynet()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' home=() i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--home)
			home=(--home "${COMP_WORDS[i + 1]}")
			((i++))
			;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [[ $prev == --home ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	elif [[ -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--home --help --version \
			$(skynet help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(skynet help "$verb" 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u)" -- "$cur")
	else
		case $verb in
		help) mapfile -t COMPREPLY < <(compgen -W "$(skynet help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')" -- "$cur") ;;
		local) mapfile -t COMPREPLY < <(compgen -W 'init up down status' -- "$cur") ;;
		install) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
		*) mapfile -t COMPREPLY < <(compgen -W "amqp-spool $(skynet "${home[@]}" list --no-header 2>/dev/null |
			cut -d' ' -f1)" -- "$cur") ;;
		esac
	fi
}
complete -o filenames -F _skynet skynet
