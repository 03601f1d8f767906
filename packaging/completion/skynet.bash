# shellcheck shell=bash
# bash completion for skynet and the spool tools: verbs, options (from --help), keys, names of participants and workitems.

# What the program itself says, in the home that the line names.
_skynet_ask()
{
	"${_skynet_program[@]}" "$@" 2>/dev/null </dev/null
}

_skynet_verbs()
{
	_skynet_ask help | sed -n 's/^  \([a-z][a-z-]*\)  *.*/\1/p'
}

# Without configuration being read: it is asked for at each Tab.
_skynet_participants()
{
	local dir
	for dir in "$(_skynet_ask config home.sv)"/skynet-*/config.exo; do
		dir=${dir%/config.exo}
		[[ ! -e $dir/config.exo ]] || echo "${dir##*/skynet-}"
	done
}

_skynet_services()
{
	echo amqp-spool
	_skynet_participants
}

# _skynet_items STATES [PARTICIPANT]: the newest names.
_skynet_items()
{
	local states=$1
	shift
	_skynet_ask spool ls --json -n 200 -s "$states" "$@" | sed -n 's/.*"name":"\([^"]*\)".*/\1/p'
}

_skynet_keys()
{
	_skynet_ask config --template | awk '
		/^\[/ { section = substr($0, 2, length($0) - 2) }
		/^#?[a-z_]+ =/ { key = $1; sub(/^#/, "", key); print section "." key }'
	printf 'home.%s\n' root etc sv service spool lib log run system
}

# Offers those of the words that begin with what is typed.
_skynet_offer()
{
	local -a more
	mapfile -t more < <(compgen -W "$1" -- "$cur")
	COMPREPLY+=("${more[@]}")
}

# _skynet_offer_files -f|-d
_skynet_offer_files()
{
	local -a more
	compopt -o filenames 2>/dev/null || : # fails only where no completion is going on
	mapfile -t more < <(compgen "$1" -- "$cur")
	COMPREPLY+=("${more[@]}")
}

# Options that take a value as the next word.
_skynet_takes_value()
{
	case $1 in
	--home | --password-file | --check-file | -u | --user | --for | -s | --state | -p | --participant | -t | --timeout | -w | --as | --field | --variable | -n | \
		--lines | --since | --grep | --wfid | --amqp | --vhost | -q | --queue | -r | --regexp | --name | -i | --instances) ;;
	*) return 1 ;;
	esac
}

_skynet_value()
{
	case $1 in
	--home) _skynet_offer_files -d ;;
	--password-file | --check-file) _skynet_offer_files -f ;;
	-u | --user) _skynet_offer "$(compgen -u)" ;;
	--for) _skynet_offer 'ready up down idle' ;;
	-s | --state) _skynet_offer 'new cur result held failed done all' ;;
	-p | --participant) _skynet_offer "$(_skynet_participants)" ;;
	esac
}

# _skynet_operand VERB OPERAND…: the operands before the cursor.
_skynet_operand()
{
	local verb=$1
	shift
	case $verb:$# in
	help:0) _skynet_offer "$(_skynet_verbs)" ;;
	help:* | version:* | manual:[1-9]*) ;;
	local:0) _skynet_offer 'init up down status' ;;
	local:1) [[ $1 != init ]] || _skynet_offer_files -d ;;
	install:* | launch:0) _skynet_offer_files -f ;;
	launch:*) ;;
	config:0) _skynet_offer "$(_skynet_keys)" ;;
	put:0 | spool-*:0) _skynet_offer "$(_skynet_participants)" ;;&
	spool-show:0) _skynet_offer "$(_skynet_items all)" ;;
	put:0 | spool-*:0) ;;
	put:1 | spool-put:*) _skynet_offer_files -f ;;
	show:0) _skynet_offer "$(_skynet_items all)" ;;
	show:1) _skynet_offer "$(_skynet_participants)" ;;
	replay:0)
		_skynet_offer "$(_skynet_items all)"
		_skynet_offer_files -f
		;;
	spool:0) _skynet_offer 'put ls show hold release retry check' ;;
	spool:*) _skynet_operand "spool-$1" "${@:2}" ;;
	spool-show:1) _skynet_offer "$(_skynet_items all "$1")" ;;
	spool-hold:*) _skynet_offer "$(_skynet_items new "$1")" ;;
	spool-release:*) _skynet_offer "$(_skynet_items held "$1")" ;;
	spool-retry:*) _skynet_offer "$(_skynet_items failed "$1")" ;;
	spool-ls:*) ;;
	query:0 | stacks:0)
		_skynet_offer "$(_skynet_participants)"
		_skynet_offer "$(_skynet_items new,cur)"
		;;
	cancel:0) _skynet_offer "$(_skynet_items new,cur)" ;;
	cancel:1) _skynet_offer "$(_skynet_participants)" ;;
	cancel:* | query:* | stacks:*) ;;
	list:* | manual:* | register:* | uninstall:* | unregister:* | spool-check:*) _skynet_offer "$(_skynet_participants)" ;;
	disable:* | enable:* | log:* | reload:* | restart:* | start:* | status:* | stop:* | wait:*)
		_skynet_offer "$(_skynet_services)"
		;;
	esac
}

_skynet_options()
{
	local -a command=("$1")
	case $1 in
	spool-*) command=(spool "${1#spool-}") ;;
	spool) [[ -z ${2:-} ]] || command=(spool "$2") ;;
	esac
	# What stands in parentheses is another verb's.
	_skynet_offer "$({ echo ' --help' && _skynet_ask "${command[@]}" --help; } | sed 's/(skynet [^)]*)//g' |
		grep -oE -- '(^|[^-A-Za-z])--[a-z][a-z-]*' | grep -oE -- '--[a-z-]+' | sort -u)"
}

_skynet()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' i word
	local -a _skynet_program=("$1") operands=()
	COMPREPLY=()
	case ${1##*/} in
	spool-*)
		verb=${1##*/}
		_skynet_program=(skynet)
		;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		# shellcheck disable=SC2088 # a ~ as it was typed
		[[ $word != --home ]] || _skynet_program+=(--home "${COMP_WORDS[i + 1]/#'~/'/$HOME/}")
		if _skynet_takes_value "$word"; then
			((i++))
		elif [[ $word == -* ]]; then
			:
		elif [[ -z $verb ]]; then
			verb=$word
		else
			operands+=("$word")
		fi
	done
	if _skynet_takes_value "$prev"; then
		_skynet_value "$prev"
	elif [[ $cur == -* && -z $verb ]]; then
		_skynet_offer '--home --help --version'
	elif [[ $cur == -* ]]; then
		_skynet_options "$verb" "${operands[0]:-}"
	elif [[ -z $verb ]]; then
		_skynet_offer "$(_skynet_verbs)"
	else
		_skynet_operand "$verb" "${operands[@]}"
	fi
}
complete -F _skynet skynet spool-put spool-ls spool-show spool-hold spool-release spool-retry spool-check
