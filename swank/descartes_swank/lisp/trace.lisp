;;;; Calls of traced functions, kept as a tree: what was called with what, by whom, and how it ended.
;;;;
;;;; By encapsulation and with a table of our own: Swank's trace dialog has one table for all clients, and
;;;; grows for ever. The table is a ring without a lock: any number of threads write to it, and a thread
;;;; that stops in the middle of a call stops nobody else.

(in-package "DESCARTES-SERVICE")

(defconstant +calls-kept+ 10000)
(defconstant +call-text+ 500 "Characters of one printed argument or value.")

(defconstant +monotonic-clock+ #+darwin 6 #-darwin 1)

(defun microseconds ()
  "Return the time from some point on. GET-INTERNAL-REAL-TIME goes on in steps of milliseconds."
  (multiple-value-bind (seconds nanoseconds) (sb-unix::clock-gettime +monotonic-clock+)
    (+ (* 1000000 seconds) (floor nanoseconds 1000))))

(defstruct call
  id
  parent                                ; the id of the call around it, in the same thread, or NIL
  name                                  ; of the function
  arguments                             ; the objects
  argument-texts
  (values '())
  (value-texts '())
  (exit :running)                       ; then :normal or :nonlocal
  (began (microseconds))
  (ended nil)
  thread                                ; its number
  evaluation)                           ; its id, or NIL

(defstruct ring
  (next 0 :type sb-ext:word)
  (calls (make-array +calls-kept+ :initial-element nil) :type simple-vector))

(defvar *ring* (make-ring))
(defvar *traced* '() "The names of the functions that are traced.")
(defvar *traced-lock* (sb-thread:make-mutex :name "descartes traced"))
(defvar *call* nil "The id of the innermost traced call that this thread is in.")
(defvar *noting* nil "True while a call is being written down: what is called for that is not traced.")

;;; Writing down

(defun call-texts (objects)
  (loop for object in objects
        repeat 50
        collect (printed object +call-text+)))

(defun new-call (name arguments)
  (let ((ring *ring*)
        (call (make-call :name name
                         :parent *call*
                         :arguments arguments
                         :argument-texts (call-texts arguments)
                         :thread (swank/backend:thread-id sb-thread:*current-thread*)
                         :evaluation (current-evaluation))))
    (let ((id (1+ (sb-ext:atomic-incf (ring-next ring)))))
      (setf (call-id call) id
            (svref (ring-calls ring) (mod id +calls-kept+)) call))
    call))

(defun end-call (call values exit)
  (setf (call-ended call) (microseconds)
        (call-values call) values
        (call-value-texts call) (let ((*noting* t)) (call-texts values))
        (call-exit call) exit))

(defun call-traced (name function arguments)
  "Call FUNCTION, which NAME names, with ARGUMENTS, and write the call down."
  (if *noting*
      (apply function arguments)
      (let ((call (let ((*noting* t)) (new-call name arguments)))
            (values '())
            (exit :nonlocal))
        (unwind-protect
             (let ((*call* (call-id call)))
               (setf values (multiple-value-list (apply function arguments))
                     exit :normal))
          (end-call call values exit))
        (values-list values))))

;;; What is traced

(defun own-part-p (symbol)
  "True when SYMBOL belongs to the Lisp, Swank or us: writing a call down would call it again."
  (let* ((home (symbol-package symbol))
         (name (if home (package-name home) "")))
    (or (string= name "COMMON-LISP")
        (some (lambda (start) (starts-at-p start name 0)) '("SB-" "SWANK" "DESCARTES-")))))

(defun refuse-untraceable (name)
  (let ((symbol (if (consp name) (second name) name)))
    (cond ((not (fboundp name))
           (refuse "not_found" "~a names no function" (written name)))
          ((and (symbolp name) (or (macro-function name) (special-operator-p name)))
           (refuse "invalid_params" "~a is a macro or special operator, whose calls are gone once compiled; ~
                                     trace the function that it stands in" (written name)))
          ((own-part-p symbol)
           (refuse "invalid_params" "~a belongs to the Lisp itself, which tracing needs; trace the function ~
                                     of yours that calls it" (written name))))))

(defun trace-name (name)
  (refuse-untraceable name)
  (sb-int:encapsulate name 'descartes-trace
                      (lambda (function &rest arguments) (call-traced name function arguments)))
  (sb-thread:with-mutex (*traced-lock*) (pushnew name *traced* :test #'equal)))

(defun untrace-name (name)
  (when (fboundp name) (sb-int:unencapsulate name 'descartes-trace))
  (sb-thread:with-mutex (*traced-lock*) (setf *traced* (remove name *traced* :test #'equal))))

(defun traced-names ()
  (coerce (sort (mapcar #'written *traced*) #'string<) 'vector))

(define-question "trace" (request package)
  (let ((name (needed-name (text-argument request "name") package)))
    (if (member name *traced* :test #'equal)
        (untrace-name name)
        (trace-name name))
    (list :object "traced" (traced-names))))

(define-question "untraceAll" (request package)
  (mapc #'untrace-name (copy-list *traced*))
  (when (entry request "forget")
    (setf *ring* (make-ring :next (ring-next *ring*))))
  (list :object "traced" (traced-names)))

;;; The tree

(defun kept-calls ()
  "Return the calls that are kept, the oldest first."
  (sort (coerce (remove nil (ring-calls *ring*)) 'list) #'< :key #'call-id))

(defun call-microseconds (call)
  "Return how long CALL took, or has taken until now."
  (- (or (call-ended call) (microseconds)) (call-began call)))

(defun call-form (call)
  (let ((name (call-name call)))
    (format nil "(~a~{ ~a~})" (if (symbolp name) (short-name name) (written name)) (call-argument-texts call))))

(defun call-object (call)
  (list :object
        "id" (call-id call)
        "parent" (call-parent call)
        "form" (bounded-text 2000 (lambda (out) (write-string (call-form call) out)))
        "name" (written (call-name call))
        "arguments" (coerce (call-argument-texts call) 'vector)
        "values" (coerce (call-value-texts call) 'vector)
        "exit" (string-downcase (call-exit call))
        "durationUs" (call-microseconds call)
        "thread" (call-thread call)
        "evaluation" (call-evaluation call)))

(define-question "calls" (request package :slow t)
  ;; The calls one after the other with the numbers of their parents: deep recursion makes no deep answer.
  (let* ((evaluation (entry request "evaluation"))
         (since (or (entry request "since") 0))
         (calls (remove-if-not (lambda (call)
                                 (and (> (call-id call) since)
                                      (or (null evaluation) (equal evaluation (call-evaluation call)))))
                               (kept-calls)))
         (kept (last calls (limit-argument request 1000))))
    (list :object
          "calls" (map 'vector #'call-object kept)
          "more" (- (length calls) (length kept))
          "traced" (traced-names))))

(defun traced-object (id part index)
  "Return the object of the call ID that is the argument or value (PART :ARGUMENT or :VALUE) INDEX, and true.
NIL and NIL when that call is not kept any more or has no such part."
  (let* ((call (find id (kept-calls) :key #'call-id))
         (objects (and call (if (eq part :argument) (call-arguments call) (call-values call)))))
    (if (and (integerp index) (< -1 index (length objects)))
        (values (nth index objects) t)
        (values nil nil))))
