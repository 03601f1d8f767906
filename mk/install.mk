# What is needed, what is shown, and where things go.
PYTHONDIR ?= $(shell $(PYTHON) -c 'import sysconfig as s; print(s.get_path("purelib", "deb_system" if "deb_system" in s.get_scheme_names() else None) if "deb_system" in s.get_scheme_names() else s.get_path("purelib"))' 2>/dev/null)
INCLUDEDIR ?= $(PREFIX)/include
COMPDIR   ?= $(PREFIX)/share/bash-completion/completions

.PHONY: deps deps-check deps-lint demo install

deps:
	@sh mk/deps.sh build

deps-check:
	@sh mk/deps.sh check

deps-lint:
	@sh mk/deps.sh lint

# Two makes: what is found with pkg-config is known only after deps.
demo: deps
	@$(MAKE) --no-print-directory -s all
	@sh examples/demo.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DATADIR) $(DESTDIR)$(PYTHONDIR) \
		$(DESTDIR)$(MANDIR) $(DESTDIR)$(COMPDIR) $(DESTDIR)$(INCLUDEDIR)/skynet
	install -m 755 $(PROGS) $(DESTDIR)$(LIBEXECDIR)
	for s in $(wildcard libexec/*.sh spool-tools/*.sh); do \
		install -m 755 $$s $(DESTDIR)$(LIBEXECDIR)/$$(basename $$s .sh) || exit 1; done
	if [ -d libexec/lib ]; then cp -R libexec/lib $(DESTDIR)$(LIBEXECDIR)/; fi
	echo '$(VERSION)' >$(DESTDIR)$(LIBEXECDIR)/version
	chmod 644 $(DESTDIR)$(LIBEXECDIR)/version
	sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|g; s|@DATADIR@|$(DATADIR)|g' bin/skynet >$(DESTDIR)$(PREFIX)/bin/skynet
	chmod 755 $(DESTDIR)$(PREFIX)/bin/skynet
	for t in $(basename $(notdir $(wildcard spool-tools/*.c spool-tools/*.sh))); do \
		ln -sfn $(LIBEXECDIR)/$$t $(DESTDIR)$(PREFIX)/bin/$$t || exit 1; done
	install -m 644 include/skynet/participant.h $(DESTDIR)$(INCLUDEDIR)/skynet/
	cp -R sv-templates $(DESTDIR)$(DATADIR)/
	for d in SkyNET RuoteAMQP; do install -d $(DESTDIR)$(PYTHONDIR)/$$d && \
		install -m 644 python/$$d/*.py $(DESTDIR)$(PYTHONDIR)/$$d/ || exit 1; done
	for m in docs/man/*.[1-8]; do n=$${m##*.}; install -d $(DESTDIR)$(MANDIR)/man$$n && \
		install -m 644 $$m $(DESTDIR)$(MANDIR)/man$$n/ || exit 1; done
	if [ -f packaging/completion/skynet.bash ]; then \
		install -m 644 packaging/completion/skynet.bash $(DESTDIR)$(COMPDIR)/skynet; \
		for t in $(basename $(notdir $(wildcard spool-tools/*.c spool-tools/*.sh))); do \
			ln -sfn skynet $(DESTDIR)$(COMPDIR)/$$t || exit 1; done; fi
