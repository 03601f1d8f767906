/* The embedded interpreter, and the calls into SkyNET._runtime.Worker. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>

#include "base/log.h"
#include "base/mem.h"
#include "decode.h"
#include "encode.h"
#include "worker.h"

enum { LATER_BYTES = 64 << 10 };

static struct {
	PyObject *worker, *run, *control; /* the Worker and its bound methods */
	PyThreadState *main_state;
} py;

static int set_str(PyConfig *c, wchar_t **field, const char *text)
{
	PyStatus s = PyConfig_SetBytesString(c, field, text);

	return PyStatus_Exception(s) ? -ENOMEM : 0;
}

static int fill_config(PyConfig *c)
{
	int r;

	PyConfig_InitPythonConfig(c);
	c->parse_argv = 0;
	c->install_signal_handlers = 0;
	c->faulthandler = 1; /* where a crash happened, in the log and in the crash report */
	c->pathconfig_warnings = 0;
	r = set_str(c, &c->program_name,
		    "/usr/bin/python3"); /* sys.executable: what multiprocessing starts */
	if (r == 0)
		r = set_str(c, &c->executable, "/usr/bin/python3");
	return r;
}

static int add_path(void)
{
	char self[PATH_MAX], dir[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	PyObject *path = PySys_GetObject("path"), *entry; /* borrowed */
	char *slash;
	int r = -1;

	if (n < 0 || path == NULL)
		return -EIO;
	self[n] = '\0';
	slash = strrchr(self, '/');
	(void)snprintf(dir, sizeof dir, "%.*s/python", (int)(slash - self), self); /* fits */
	if (access(dir, X_OK) < 0)
		return 0; /* installed where Python looks by itself */
	entry = PyUnicode_DecodeFSDefault(dir);
	if (entry != NULL)
		r = PyList_Insert(path, 0, entry);
	Py_XDECREF(entry);
	return r < 0 ? -ENOMEM : 0;
}

int python_start(void)
{
	PyPreConfig pre;
	PyConfig config;
	PyStatus s;
	int r;

	PyPreConfig_InitPythonConfig(&pre);
	pre.parse_argv = 0;
	pre.utf8_mode = 1;
	s = Py_PreInitialize(&pre);
	if (PyStatus_Exception(s)) {
		sn_err("Python: %s", s.err_msg != NULL ? s.err_msg : "cannot be prepared");
		return -EIO;
	}
	r = fill_config(&config);
	if (r == 0) {
		s = Py_InitializeFromConfig(&config);
		if (PyStatus_Exception(s)) {
			sn_err("Python: %s", s.err_msg != NULL ? s.err_msg : "cannot be started");
			r = -EIO;
		}
	}
	PyConfig_Clear(&config);
	if (r == 0)
		r = add_path();
	if (r == 0)
		py.main_state = PyEval_SaveThread();
	return r;
}

/* The list of configuration files, for configparser. */
static PyObject *config_files(const struct sn_worker *w)
{
	char **files = sn_home_config_files(&w->home, w->name);
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list != NULL && files[i] != NULL; i++) {
		PyObject *name = PyUnicode_DecodeFSDefault(files[i]);

		if (name == NULL || PyList_Append(list, name) < 0)
			Py_CLEAR(list);
		Py_XDECREF(name);
	}
	sn_home_files_free(files);
	return list;
}

/* Takes the function over. */
static int set_function(PyObject *module, const char *name, PyObject *function)
{
	int r = function != NULL ? PyObject_SetAttrString(module, name, function) : -1;

	Py_XDECREF(function);
	return r;
}

static int install_json(void)
{
	PyObject *module = PyImport_ImportModule("RuoteAMQP._json");
	int r = module != NULL ? set_function(module, "fast_encode", encode_function()) : -1;

	if (r == 0)
		r = set_function(module, "fast_decode", decode_function());
	Py_XDECREF(module);
	return r;
}

static PyObject *new_worker(const struct sn_worker *w)
{
	SN_AUTOFREE char *code = sn_worker_code(w);
	PyObject *module = PyImport_ImportModule("SkyNET._runtime"), *files, *emit, *made = NULL;

	if (module == NULL || install_json() < 0)
		return NULL;
	files = config_files(w);
	emit = emit_function();
	if (files != NULL && emit != NULL)
		made = PyObject_CallMethod(module, "Worker", "sNOOs", w->name,
					   PyUnicode_DecodeFSDefault(code), files, emit,
					   w->config.participant.exo_class);
	Py_XDECREF(files);
	Py_XDECREF(emit);
	Py_DECREF(module);
	return made;
}

/* "Class: text" as the last line of a traceback has it; the traceback itself goes to stderr. */
static void explain(char *ret_why, size_t size)
{
	PyObject *type, *value, *tb, *text;
	const char *name, *s = NULL;

	PyErr_Fetch(&type, &value, &tb);
	PyErr_NormalizeException(&type, &value, &tb);
	text = value != NULL ? PyObject_Str(value) : NULL;
	if (text != NULL)
		s = PyUnicode_AsUTF8(text);
	if (s == NULL)
		PyErr_Clear();
	name = type != NULL ? ((PyTypeObject *)type)->tp_name : "error";
	(void)snprintf(ret_why, size, "%s%s%s", name, s != NULL && *s != '\0' ? ": " : "",
		       s != NULL ? s : "");
	for (char *p = ret_why; *p != '\0'; p++) {
		if (*p == '\n')
			*p = ' ';
	}
	Py_XDECREF(text);
	if (tb != NULL && value != NULL)
		(void)PyException_SetTraceback(value, tb);
	PyErr_Display(type, value, tb); /* PyErr_Print would end the process for a SystemExit */
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(tb);
}

int python_load(struct sn_worker *w, char *ret_why, size_t size)
{
	PyObject *done = NULL;

	PyEval_RestoreThread(py.main_state);
	py.worker = new_worker(w);
	if (py.worker != NULL)
		done = PyObject_CallMethod(py.worker, "load", "i", w->check);
	if (w->forked)
		_exit(0);
	if (done != NULL) {
		py.run = PyObject_GetAttrString(py.worker, "run");
		py.control = PyObject_GetAttrString(py.worker, "control");
	}
	Py_XDECREF(done);
	if (PyErr_Occurred() != NULL)
		explain(ret_why, size);
	py.main_state = PyEval_SaveThread();
	return py.run != NULL && py.control != NULL ? 0 : -1;
}

/* A small workitem is freed later, when its answer is on the way: nobody waits for that. Only plain data: a __del__ of
 * the participant's belongs to the workitem, as what it prints, sends or starts does. */
static bool can_wait(const struct python_answer *a)
{
	return a->len <= LATER_BYTES && strcmp(a->outcome, "ok") == 0 &&
	       encode_made(PyTuple_GET_ITEM(a->owner, 2));
}

/* What run() returned; false, and an exception perhaps, if it is none. */
static bool take_answer(PyObject *tuple, struct python_answer *ret)
{
	PyObject *reply;

	if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) != 3)
		return false;
	reply = PyTuple_GET_ITEM(tuple, 2);
	ret->outcome = PyUnicode_AsUTF8(PyTuple_GET_ITEM(tuple, 0));
	ret->send = ret->outcome != NULL ? PyUnicode_AsUTF8(PyTuple_GET_ITEM(tuple, 1)) : NULL;
	if (ret->send == NULL || !PyBytes_CheckExact(reply))
		return false;
	ret->body = PyBytes_AS_STRING(reply); /* stays where it is while the tuple lives */
	ret->len = (size_t)PyBytes_GET_SIZE(reply);
	ret->owner = tuple;
	return true;
}

int python_run(const char *leaf, const struct sn_buf *body, struct python_answer *ret)
{
	PyObject *args[3] = {NULL}, *tuple = NULL;
	int r = -1;

	PyEval_RestoreThread(py.main_state);
	args[0] = PyBytes_FromStringAndSize(body->data, (Py_ssize_t)body->len);
	args[1] = PyUnicode_FromString(leaf);
	args[2] = decode(body->data, body->len);
	if (args[0] != NULL && args[1] != NULL)
		tuple = PyObject_Vectorcall(py.run, args, args[2] != NULL ? 3 : 2, NULL);
	Py_XDECREF(args[0]);
	Py_XDECREF(args[1]);
	if (tuple != NULL && take_answer(tuple, ret)) {
		if (can_wait(ret)) {
			ret->item = args[2];
			args[2] = NULL;
		}
		r = 0;
	} else {
		if (PyErr_Occurred() != NULL)
			PyErr_Print();
		Py_XDECREF(tuple);
	}
	Py_XDECREF(args[2]);
	py.main_state = PyEval_SaveThread();
	return r;
}

void python_answer_release(struct python_answer *a)
{
	PyEval_RestoreThread(py.main_state);
	Py_CLEAR(a->item);
	Py_CLEAR(a->owner);
	py.main_state = PyEval_SaveThread();
}

void python_control(const char *message)
{
	PyGILState_STATE g = PyGILState_Ensure();
	PyObject *answer;

	if (py.control == NULL) { /* not loaded yet: nobody to tell */
		PyGILState_Release(g);
		return;
	}
	answer = PyObject_CallFunction(py.control, "sO", message, Py_None);

	if (answer == NULL)
		PyErr_Print();
	Py_XDECREF(answer);
	PyGILState_Release(g);
}

char *python_enquire(const char *message, const char *leaf)
{
	PyGILState_STATE g = PyGILState_Ensure();
	PyObject *answer = NULL;
	char *json = NULL;

	if (py.control != NULL) {
		answer = PyObject_CallFunction(py.control, "sz", message, leaf);
		if (answer == NULL)
			PyErr_Print(); /* _runtime promises that it never raises */
		else if (PyBytes_Check(answer))
			json = sn_strdup(PyBytes_AS_STRING(answer));
		Py_XDECREF(answer);
	}
	PyGILState_Release(g);
	return json;
}

int python_stacks_on_signal(int sig, int fd)
{
	PyObject *module, *done = NULL;

	PyEval_RestoreThread(py.main_state);
	module = PyImport_ImportModule("faulthandler");
	if (module != NULL)
		done = PyObject_CallMethod(module, "register", "iiOO", sig, fd, Py_True, Py_False);
	if (done == NULL)
		PyErr_Print();
	Py_XDECREF(done);
	Py_XDECREF(module);
	py.main_state = PyEval_SaveThread();
	return done != NULL ? 0 : -EIO;
}

void python_stacks(struct worker *w, int fd)
{
	PyGILState_STATE g = PyGILState_Ensure();
	PyObject *module, *done = NULL;
	bool late;

	(void)pthread_mutex_lock(&w->base.lock);
	late = w->dump != DUMP_WAITS;
	if (!late)
		w->dump = DUMP_RUNS;
	(void)pthread_mutex_unlock(&w->base.lock);
	module = late ? NULL : PyImport_ImportModule("faulthandler"); /* it is there: nothing else runs */
	if (module != NULL)
		done = PyObject_CallMethod(module, "dump_traceback", "iO", fd, Py_True);
	if (!late && done == NULL)
		PyErr_Print();
	Py_XDECREF(done);
	Py_XDECREF(module);
	PyGILState_Release(g);
}

/* What atexit promised, and no more: threads that do not end must not keep a stopping worker. */
void python_end(void)
{
	PyObject *module, *done = NULL;

	PyEval_RestoreThread(py.main_state);
	module = PyImport_ImportModule("atexit");
	if (module != NULL)
		done = PyObject_CallMethod(module, "_run_exitfuncs", NULL);
	if (done == NULL)
		PyErr_Print();
	Py_XDECREF(done);
	Py_XDECREF(module);
	for (size_t i = 0; i < 2; i++) {
		PyObject *f = PySys_GetObject(i == 0 ? "stdout" : "stderr"); /* borrowed */

		done = f != NULL ? PyObject_CallMethod(f, "flush", NULL) : NULL;
		if (done == NULL)
			PyErr_Clear(); /* closed by the participant */
		Py_XDECREF(done);
	}
	(void)fflush(stdout); /* of C extensions */
}
