"""The participant of exo.bats: does what the workitem's field `do` says, and keeps a journal of it."""

import os
import signal
import subprocess
import sys
import time

STATE = os.environ.get("TEST_STATE", "/nonexistent")


def journal(text):
    fd = os.open(os.path.join(STATE, "journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, f"{text}\n".encode())
    os.close(fd)


def wait_for(leaf):
    while not os.path.exists(os.path.join(STATE, leaf)):
        time.sleep(0.01)


class ParticipantHandler:
    stopping = False

    def handle_lifecycle_control(self, ctrl):
        journal(f"lifecycle {ctrl.message}")
        if ctrl.message == "start":
            mode = ctrl.config.get("test", "start", fallback="")
            if mode == "raise":
                raise RuntimeError("no database")
            if mode == "hang":
                time.sleep(600)
            if mode == "exit":
                print("about to exit")
                os._exit(5)
        if ctrl.message == "stop":
            self.stopping = True

    def handle_wi(self, wid):
        f = wid.fields
        journal(f"begin {f.n} {os.getpid()} {os.environ.get('SKYNET_WORKER')}")
        getattr(self, "do_" + (f.do or "nothing"))(f)
        journal(f"end {f.n}")

    def do_nothing(self, f):
        f.pid = os.getpid()

    def do_print(self, f):
        print(f.text)

    def do_partial(self, f):
        sys.stdout.write(f.text)
        sys.stderr.write("err")

    def do_bytes(self, f):
        os.write(1, bytes(f.bytes))

    def do_long(self, f):
        print("é" * int(f.length))

    def do_many(self, f):
        for i in range(int(f.count)):
            print(f"line {f.n} {i}")

    def do_wait(self, f):
        wait_for(f.wait)

    def do_say_and_wait(self, f):
        print(f.text)
        wait_for(f.wait)

    def do_stoppable(self, f):
        while not self.stopping:
            time.sleep(0.01)
        f.stopped = True

    def do_os_exit(self, f):
        print("last words", f.n)
        os._exit(3)

    def do_abort(self, f):
        os.abort()

    def do_segv(self, f):
        print("about to crash", f.n)
        import ctypes

        ctypes.string_at(0)

    def do_once(self, f):
        """Dies at the first attempt only."""
        mark = os.path.join(STATE, f"once.{f.n}")
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)

    def do_system_exit(self, f):
        sys.exit("enough")

    def do_raise(self, f):
        f.changed = True
        raise ValueError("bad thing")

    def do_fork_returns(self, f):
        """The child comes back out of the handler."""
        if os.fork() != 0:
            os.wait()

    def do_daemon(self, f):
        """A grandchild that prints after its workitem is done."""
        script = (
            f"while ! test -e {STATE}/{f.go}; do sleep 0.02; done; echo late {f.n}; "
            f"touch {STATE}/said.{f.n}; exec sleep 600"
        )
        # in a session of its own, so that only exo can find it
        p = subprocess.Popen(["setsid", "sh", "-c", f"({script}) & echo $! > {STATE}/daemon.{f.n}"])
        p.wait()

    def do_child(self, f):
        """A child that is not waited for."""
        self.child = subprocess.Popen(
            ["sh", "-c", f"while ! test -e {STATE}/{f.go}; do sleep 0.02; done; echo child {f.n}"]
        )

    def do_run(self, f):
        """A child that is waited for."""
        subprocess.run(["echo", f"ran {f.n}"], check=True)

    def do_close(self, f):
        os.close(1)
        os.close(2)

    def do_handlers(self, f):
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(s, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})

    def do_umask(self, f):
        os.umask(0o077)

    def do_big(self, f):
        f.big = "x" * int(f.size)
        if f.go:
            wait_for(f.go)

    def do_send(self, f):
        class W(dict):
            pass

        self.send_to_engine({"fei": {}, "fields": {"n": f.n}})
        self.send_to_engine({"fei": {}, "fields": {"n": f.n, "second": True}})

    def do_signals(self, f):
        out = subprocess.run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], capture_output=True, text=True)
        f.signals = out.stdout
        os.system(f"ls /proc/self/fd >{STATE}/fds")  # closes nothing by itself, as subprocess does

    def do_env(self, f):
        f.env = dict(os.environ)
        f.cwd = os.getcwd()
        f.executable = sys.executable
        f.path = sys.path
