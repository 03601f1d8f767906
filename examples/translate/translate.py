"""Translates the phrases of a workitem with the glossaries in its configuration.

Shows: configuration read at the start, logging, an error reply for a bad workitem,
and answers to "how far are you?" and "stop it" while the work goes on.

    [translate]
    default = de

    [glossary de]
    build failed = Build fehlgeschlagen

Workitem: field `phrases`, a list of strings; param `to`, a language (default: as
configured). Reply: field `translations`, phrase to text; field `unknown`, the phrases
that no glossary has; result true if there were none and nobody cancelled.
"""

GLOSSARY = "glossary "


class ParticipantHandler:
    def __init__(self):
        self.glossaries = {}
        self.default = ""
        self._cancelled = None
        self._done = 0

    def handle_lifecycle_control(self, ctrl):
        if ctrl.start():
            self._read_config(ctrl.config)
            self.log.info("languages: %s", " ".join(sorted(self.glossaries)))

    def handle_wi(self, wid):
        phrases = wid.fields.phrases
        if not isinstance(phrases, list) or not all(isinstance(p, str) for p in phrases):
            raise TypeError("the field phrases must be a list of strings")
        language = wid.params.to or self.default
        if language not in self.glossaries:
            raise LookupError(f"no glossary for the language {language!r}")

        self._done = 0
        wid.fields.translations = {}
        wid.fields.unknown = []
        for phrase in phrases:
            if self._cancelled is wid:
                self.log.warning("%s: cancelled after %d phrases", wid.wfid, self._done)
                break
            self.translate(phrase, language, wid)
            self._done += 1
        wid.result = self._done == len(phrases) and not wid.fields.unknown

    def translate(self, phrase, language, wid):
        text = self.glossaries[language].get(phrase.strip().lower())
        if text is None:
            self.log.info("%s: %s does not know %r", wid.wfid, language, phrase)
            wid.fields.unknown.append(phrase)
        else:
            wid.fields.translations[phrase] = text

    # These two are called on another thread, while handle_wi works on the very same
    # wid; with None if it is not known which workitem is meant.

    def status(self, wid):
        of = len(wid.fields.phrases or []) if wid else 0
        return {"done": self._done, "of": of}

    def cancel(self, wid):
        self._cancelled = wid
        return {"stopped after": self._done}

    def _read_config(self, config):
        self.default = config.get("translate", "default", fallback="")
        for section in config.sections():
            if section.startswith(GLOSSARY):
                # raw: a text may contain %
                self.glossaries[section[len(GLOSSARY) :]] = dict(config.items(section, raw=True))
        if self.default and self.default not in self.glossaries:
            raise ValueError(f"[translate] default = {self.default}: there is no such glossary")
