# shellcheck shell=sh disable=SC2154 # variables of the scripts that source this
# Fills in service directories from sv-templates.

# write_env FILE NAME: what the scripts of a service need to know.
write_env()
{
	{
		echo '# Written by skynet: the values of this service, for run, finish, check and log/run.'
		printf 'HOME_DIR=%s\n' "$(quote "$SKYNET_HOME")"
		printf 'NAME=%s\n' "$(quote "$2")"
		printf 'LIBEXEC=%s\n' "$(quote "$SKYNET_LIBEXEC")"
		printf 'LOG=%s\n' "$(quote "$home_log")"
	} >"$1"
}

# fill_service DIR TEMPLATE NAME: the files of a service that are not its own configuration.
fill_service()
{
	mkdir -p "$1/log"
	for _file in run finish check log/run; do
		cp "$SKYNET_TEMPLATES/$2/$_file" "$1/$_file.new"
		chmod 755 "$1/$_file.new"
		mv -f "$1/$_file.new" "$1/$_file"
	done
	write_env "$1/service.env.new" "$3"
	mv -f "$1/service.env.new" "$1/service.env"
}

# The bridge's service, enabled.
make_bridge()
{
	mkdir -p "$home_sv" "$home_service"
	fill_service "$home_sv/skynet-amqp-spool" amqp-spool amqp-spool
	ln -sfn "$home_sv/skynet-amqp-spool" "$home_service/skynet-amqp-spool"
}
