;;;; Evaluations that belong to somebody: each has an id, a client whose variables it uses, and an outcome
;;;; that reaches the client, or the next one when that client is gone.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(evaluate compile-text compile-source-file load-source-file attach-session adopt-orphans
            interrupt-evaluation abort-evaluation interrupt-thread forget-client
            client-package)))

(defvar *version* nil "What a client compares with its own copy of these files, set when all are loaded.")

;;; Clients: each has its own *package*, *, ** and so on

(defparameter *initial-variables*
  '((* . nil) (** . nil) (*** . nil) (/ . nil) (// . nil) (/// . nil) (+ . nil) (++ . nil) (+++ . nil)))

(defvar *client-variables* (make-hash-table :test 'equal :synchronized t)
  "By client: an alist of its variables.")

(defun client-variables (client)
  (or (gethash client *client-variables*)
      (setf (gethash client *client-variables*)
            (list* (cons '*package* (find-package "COMMON-LISP-USER"))
                   (cons '*readtable* *readtable*)
                   (copy-alist *initial-variables*)))))

(defun client-variable (client variable)
  (cdr (assoc variable (client-variables client))))

(defun (setf client-variable) (value client variable)
  (setf (cdr (assoc variable (client-variables client))) value))

(defun living-package (package)
  "Return PACKAGE, or COMMON-LISP-USER when it was deleted: nothing can be read or printed in it then."
  (if (package-name package) package (find-package "COMMON-LISP-USER")))

(defun package-of-client (client)
  (setf (client-variable client '*package*) (living-package (client-variable client '*package*))))

(defun shift-history (client variables value)
  "Give VALUE to the first of VARIABLES, its value to the second, and so on, for CLIENT."
  (loop for variable in variables
        do (rotatef value (client-variable client variable))))

(defun remember-values (client form values)
  (shift-history client '(* ** ***) (first values))
  (shift-history client '(/ // ///) values)
  (shift-history client '(+ ++ +++) form))

;;; Clients that are gone

(defun of-client-p (name client)
  "True when NAME is CLIENT, or one of its REPLs."
  (and (eql 0 (search client name))
       (or (= (length name) (length client))
           (char= #\# (char name (length client))))))

(defun forget-client (client)
  "Drop what is kept for CLIENT and its REPLs."
  (flet ((gone-p (name) (of-client-p name client)))
    (forget-inspections #'gone-p)
    (dolist (table (list *results* *client-variables*) t)
      (sb-ext:with-locked-hash-table (table)
        (loop for name in (loop for name being the hash-keys of table collect name)
              when (gone-p name) do (remhash name table))))))

(defun named-package (name)
  "Return the package that NAME means, written as in a file; without a name, nil."
  (and name (or (swank::guess-package name) (find-package "COMMON-LISP-USER"))))

(defun call-with-client (client package function)
  "Call FUNCTION with the variables of CLIENT; in PACKAGE, when there is one, else in the client's own."
  (package-of-client client)            ; one that was deleted is replaced before it is bound
  (let ((variables (client-variables client))
        (own (null package)))
    (progv (mapcar #'car variables) (mapcar #'cdr variables)
      (let ((- nil)
            (*package* (or package *package*)))
        (let ((package *package*))
          (unwind-protect (funcall function)
            ;; Only a change is kept: another evaluation of this client may have made one meanwhile.
            (unless (or (not own) (eq package *package*))
              (setf (client-variable client '*package*) *package*))
            (setf (client-variable client '*readtable*) *readtable*)))))))

;;; Evaluations

(defclass evaluation ()
  ((id :initarg :id :reader evaluation-id)
   (client :initarg :client :reader evaluation-client)
   (thread :initform (swank/backend:current-thread) :reader evaluation-thread)
   (session :initarg :session :accessor evaluation-session)
   (port :initarg :port :reader evaluation-port)
   (began :initform (get-internal-real-time) :reader evaluation-began)
   (interrupted :initform nil :accessor evaluation-interrupted
                :documentation "True when it is to stop as soon as it runs the user's code.")
   (marks :initarg :marks :reader evaluation-marks :documentation "What it is expected to make.")
   (number :initform nil :accessor evaluation-number :documentation "Of its result in its REPL.")
   (outcome :initform nil :accessor evaluation-outcome)))

(defvar *evaluations* (make-hash-table :test 'equal :synchronized t)
  "By id: all that run, and those that ended when no client was there to hear of it.")

(defvar *evaluation* nil "The evaluation that this thread works for.")

(defun milliseconds-since (start)
  (round (* 1000 (- (get-internal-real-time) start)) internal-time-units-per-second))

(defvar *heir* nil "The session that took over last what clients left behind.")

(defun working-session (id client)
  "Return the session to work for: the heir of one whose client went before the evaluation ID had begun."
  (let ((session (current-session)))
    (cond ((session-live-p session) (become-default session))
          ((and *heir* (session-live-p *heir*))
           (setf session *heir*
                 swank::*emacs-connection* (session-connection session))
           (deliver session :adopted (list (list id client)))))
    session))

(defun begin-evaluation (id client package)
  (let* ((session (working-session id client))
         (port (make-instance 'port :session session :evaluation id)))
    (setf (gethash id *evaluations*)
          (make-instance 'evaluation :id id :client client :session session :port port
                                      :marks (due-marks (or package (package-of-client client)))))))

(defun successful-p (outcome)
  "True when OUTCOME is that of code that ran to its end, and that the compiler, if asked, was content with."
  (destructuring-bind (state values package result) outcome
    (declare (ignore values package))
    (and (eq state :done) (or (null result) (eq t (second result))))))

(defun end-evaluation (evaluation outcome)
  "Tell the client OUTCOME, (STATE VALUES PACKAGE RESULT); keep it when there is no client."
  (flush-port (evaluation-port evaluation))
  (settle-marks (evaluation-marks evaluation) (successful-p outcome))
  (let ((outcome (append outcome (list (milliseconds-since (evaluation-began evaluation))
                                       (evaluation-number evaluation)))))
    (setf (evaluation-outcome evaluation) outcome)
    (when (apply #'deliver (evaluation-session evaluation) :outcome (evaluation-id evaluation) outcome)
      (remhash (evaluation-id evaluation) *evaluations*))))

(defvar *user-code-depth* 0)
(defvar *in-debugger*)
(declaim (notinline call-user-code))
(defun call-user-code (function)
  "Call FUNCTION; the frame of this call is where a user's backtrace ends."
  (multiple-value-prog1 (let ((*user-code-depth* (1+ *user-code-depth*))
                              (*in-debugger* nil))
                          (begin-users-code)
                          (handler-bind ((sb-ext:step-condition #'on-step))
                            (case (shiftf (evaluation-interrupted *evaluation*) nil)
                              ((nil))
                              (:abort (invoke-restart swank::*sldb-quit-restart*))
                              (t (stop-here)))
                            (funcall function)))
    (take-interrupts)))

(defun call-with-retry (function)
  (loop (with-simple-restart (retry "Retry this evaluation.")
          (return (call-user-code function)))))

(defun work (client package function)
  "Return the outcome of calling FUNCTION for CLIENT. Its values are (RESULT VALUES &optional FORM)."
  (call-with-client
   client package
   (lambda ()
     (let ((swank::*buffer-package* *package*)
           (swank::*buffer-readtable* *readtable*)
           (swank::*sldb-initial-frames* 0))
       (multiple-value-bind (result values form) (call-with-retry function)
         (setf *package* (living-package *package*))
         (when form
           (remember-values client form values)
           (setf (evaluation-number *evaluation*)
                 (remember-result client (evaluation-id *evaluation*) values)))
         (list :done (printed-values values) (package-name *package*) result))))))

(defun call-abortable (function)
  "Call FUNCTION; nil when it was aborted. In a stopped thread Swank's own restart does that."
  (if (plusp swank::*sldb-level*)
      (funcall function)
      (restart-case (let ((swank::*sldb-quit-restart* (find-restart 'abort)))
                      (funcall function))
        (abort ()
          :report "Abort this evaluation."
          nil))))

(defun run-evaluation (id client package function)
  "Run FUNCTION as the evaluation ID of CLIENT; the answer is an :outcome message, on every path."
  (call-with-stack (lambda () (run-with-outcome id client package function))))

(defun run-with-outcome (id client package function)
  (let* ((evaluation (begin-evaluation id client (named-package package)))
         (*evaluation* evaluation)
         (outcome nil))
    (with-streams ((evaluation-port evaluation))
      (unwind-protect
           (setf outcome (swank::with-slime-interrupts
                           (call-abortable (lambda () (work client (named-package package) function)))))
        (end-evaluation evaluation (or outcome (list :aborted '() (package-name *package*) nil)))))
    nil))

(defun evaluate-forms (text)
  "Evaluate the forms of TEXT one after the other; return nil, the values of the last one, and that form."
  (let ((values '())
        (last nil))
    (with-input-from-string (in text)
      (loop for form = (read-form in)
            until (eq form in)
            do (setf - form
                     last form
                     values (multiple-value-list (eval form)))))
    (values nil values last)))

(defun values-of (client text)
  "Return the values of TEXT, read as in CLIENT, which may be a REPL."
  (let ((*repl* (and (repl-p client) client)))
    (nth-value 1 (evaluate-forms text))))

(defun evaluate (id client text package)
  "Evaluate TEXT for CLIENT in PACKAGE, a name as in a file, or in the client's own."
  (run-evaluation id client package
                  (lambda ()
                    (let ((*repl* (and (repl-p client) client)))
                      (evaluate-forms text)))))

(defun client-package (client)
  "Return the name of the package that CLIENT is in."
  (package-name (package-of-client client)))

;;; Compiling

(defmacro without-compiler-chatter (&body body)
  "What the compiler prints is in its notes."
  `(let ((*error-output* (make-broadcast-stream))
         (*compile-print* nil)
         (*compile-verbose* nil)
         (*load-verbose* nil))
     ,@body))

(defun notes-and-success (function)
  "Return (NOTES SUCCESS) of calling FUNCTION, whose first value is success; no values for the client."
  (destructuring-bind (type notes success &rest rest) (swank::collect-notes function)
    (declare (ignore type rest))
    (values (list notes success) '())))

(defun compile-text (id client text file position package policy)
  "Compile and load TEXT, which stands in FILE (or in nothing) at the 0-based character POSITION."
  (run-evaluation
   id client package
   (lambda ()
     (notes-and-success
      (lambda ()
        (without-compiler-chatter
          (swank/backend:swank-compile-string text :buffer (or file "*descartes*") :position (1+ position)
                                                   :filename file :policy policy)))))))

(defun scratch-fasl ()
  "Return a path for a compiled file that nobody else knows, outside the workspace."
  (let ((folder (format nil "~adescartes-~36r/"
                        (namestring (merge-pathnames (let ((name (sb-ext:posix-getenv "TMPDIR")))
                                                       (if name (concatenate 'string name "/") "/tmp/"))))
                        (random (expt 2 128) (make-random-state t)))))
    (ensure-directories-exist folder :mode #o700)
    (concatenate 'string folder "compiled.fasl")))

(defun compile-to (fasl file)
  (let ((truename (swank/backend:filename-to-pathname file)))
    (swank/backend:swank-compile-file truename fasl nil
                                      (or (swank::guess-external-format truename) :utf-8))))

(defun compile-source-file (id client file load always)
  "Compile FILE, and load the result when LOAD is true and compiling succeeded, or ALWAYS."
  (run-evaluation
   id client nil
   (lambda ()
     (let ((fasl (scratch-fasl)))
       (unwind-protect
            (notes-and-success
             (lambda ()
               (multiple-value-bind (output warnings failure)
                   (without-compiler-chatter (compile-to fasl file))
                 (declare (ignore warnings))
                 (when (and output load (or always (not failure)))
                   (load output))
                 (and output (not failure)))))
         (ignore-errors (sb-ext:delete-directory (directory-namestring fasl) :recursive t)))))))

(defun load-source-file (id client file)
  (run-evaluation id client nil
                  (lambda () (values nil (list (load (swank/backend:filename-to-pathname file)))))))

;;; Interrupting

(define-condition interrupt (serious-condition) ()
  (:report "Interrupted.")
  (:documentation "Why a thread stopped that somebody interrupted."))

(defun stop-here ()
  (with-simple-restart (continue "Continue where it was interrupted.")
    (swank::invoke-slime-debugger (make-condition 'interrupt))))

(defun await-evaluation (id)
  "Return the evaluation ID, which may have been asked for just before in another thread."
  (loop repeat 100
        thereis (gethash id *evaluations*)
        do (sleep 1/100)))

(defun interrupt-evaluation (id)
  "Stop the evaluation ID in the debugger; nil when it has ended."
  (let ((evaluation (await-evaluation id)))
    (when (and evaluation (swank/backend:thread-alive-p (evaluation-thread evaluation)))
      (swank::queue-thread-interrupt
       (evaluation-thread evaluation)
       (lambda ()
         (cond ((not (eq *evaluation* evaluation)))
               ((plusp *user-code-depth*) (stop-here))
               (t (setf (evaluation-interrupted evaluation) t)))))
      t)))

(defun abort-evaluation (id)
  "End the evaluation ID wherever it is, without a stop; nil when it has ended."
  (let ((evaluation (await-evaluation id)))
    (when (and evaluation (swank/backend:thread-alive-p (evaluation-thread evaluation)))
      (swank::queue-thread-interrupt
       (evaluation-thread evaluation)
       (lambda ()
         (cond ((not (eq *evaluation* evaluation)))
               ((plusp *user-code-depth*) (invoke-restart swank::*sldb-quit-restart*))
               (t (setf (evaluation-interrupted evaluation) :abort)))))
      t)))

(defun interrupt-thread (thread-id)
  "Stop the thread THREAD-ID in the debugger; nil when there is none."
  (let ((thread (swank/backend:find-thread thread-id))
        (taken nil))
    (when (and thread (swank/backend:thread-alive-p thread))
      (swank::queue-thread-interrupt thread (lambda () (setf taken t) (stop-here)))
      ;; A thread in the debugger looks for interrupts before it begins to wait for a message: one that comes
      ;; in between would lie until the next message does.
      (loop repeat 200
            until (or taken (not (swank/backend:thread-alive-p thread)))
            do (sleep 1/100)
               (swank/backend:wake-thread thread))
      t)))

;;; Attaching, and taking over what an earlier client left behind

(defun become-default (session)
  "Make SESSION the one that hears of errors in threads of nobody; Swank's way is: whoever came last."
  (let ((connection (session-connection session)))
    (loop for old = swank::*connections*
          for new = (cons connection (remove connection old))
          until (or (eq connection (first old))
                    (not (member connection old))
                    (eq old (sb-ext:compare-and-swap (symbol-value 'swank::*connections*) old new))))))

(defun reclaim-default (newcomer)
  "Be the default again after NEWCOMER, when that is not one that evaluates."
  (swank/backend:spawn
   (lambda ()
     (await-registration newcomer)
     (let ((session (find-if #'session-live-p *sessions*)))
       (when session (become-default session))))
   :name "descartes default"))

(defun connection-closed (connection)
  "Let the evaluations go on that wait for a client that is gone."
  (declare (ignore connection))
  (loop for evaluation being the hash-values of *evaluations*
        unless (session-live-p (evaluation-session evaluation))
          do (release-writer (evaluation-port evaluation))))

(defun close-for-certain (close-connection connection &rest arguments)
  "Call CLOSE-CONNECTION, Swank's own, for CONNECTION, also when its client left before it had read all.

Swank fails to write the rest to it then, in the thread (or with the lock) that all connections need."
  (handler-case (apply close-connection connection arguments)
    (stream-error ()
      (close (swank::connection.socket-io connection) :abort t)
      (apply close-connection connection arguments))))

(sb-int:encapsulate 'swank::close-connection% 'close-for-certain #'close-for-certain)

(defun await-registration (connection)
  "Swank puts a new connection into its list from another thread."
  (loop repeat 100
        until (live-connection-p connection)
        do (sleep 1/100)))

(defun attach-session ()
  "Make the connection that asks one that evaluates; return the first request id that it may use."
  (let* ((connection swank::*emacs-connection*)
         (session (make-instance 'session :connection connection)))
    (setf (session-port session) (make-instance 'port :session session))
    (await-registration connection)
    (setf (swank::connection.env connection) (port-bindings (session-port session)))
    (setf *sessions* (cons session (remove-if-not #'session-live-p *sessions*)))
    (swank::add-hook swank::*connection-closed-hook* 'connection-closed)
    (swank::add-hook swank::*new-connection-hook* 'reclaim-default)
    (become-default session)
    (* +ids-per-session+ (incf *session-count*))))

(defun adopt-thread (thread connection done)
  "Let THREAD, when it belongs to a client that is gone, belong to CONNECTION and say again why it stopped."
  (swank::queue-thread-interrupt
   thread
   (lambda ()
     (when (and swank::*emacs-connection* (not (live-connection-p swank::*emacs-connection*)))
       (setf swank::*emacs-connection* connection)
       (when (plusp swank::*sldb-level*)
         (swank::send-to-emacs (list* :debug (swank::current-thread-id) swank::*sldb-level*
                                      (swank::debugger-info-for-emacs 0 0)))))
     (sb-thread:signal-semaphore done))))

(defun orphaned-threads ()
  "Return the threads that work for a client that is gone; no other thread is disturbed."
  (loop for thread in (sb-thread:list-all-threads)
        for connection = (ignore-errors
                          (sb-thread:symbol-value-in-thread 'swank::*emacs-connection* thread nil))
        when (and connection
                  (sb-thread:thread-alive-p thread)
                  (not (live-connection-p connection)))
          collect thread))

(defun adopt-threads (connection)
  "Take over what stopped threads there are; wait a little for those that can answer."
  (let ((done (sb-thread:make-semaphore))
        (asked 0))
    (dolist (thread (orphaned-threads))
      (ignore-errors (adopt-thread thread connection done) (incf asked)))
    (when (plusp asked)
      (sb-thread:wait-on-semaphore done :n asked :timeout 1/2))))

(defun adopt-evaluation (evaluation session)
  "Give EVALUATION to SESSION, and deliver what it had to say meanwhile."
  (setf (evaluation-session evaluation) session)
  (give-port (evaluation-port evaluation) session)
  (ask-again (evaluation-port evaluation))
  (when (evaluation-outcome evaluation)
    (apply #'deliver session :outcome (evaluation-id evaluation) (evaluation-outcome evaluation))
    (remhash (evaluation-id evaluation) *evaluations*)))

(defun adopt-orphans ()
  "Take over the evaluations and stopped threads of clients that are gone; return a list of (ID CLIENT).

A message :adopted with that list comes before what was missed."
  (let* ((session (current-session))
         (orphans (loop for evaluation being the hash-values of *evaluations*
                        unless (session-live-p (evaluation-session evaluation)) collect evaluation))
         (adopted (loop for evaluation in orphans
                        collect (list (evaluation-id evaluation) (evaluation-client evaluation)))))
    (setf *heir* session)
    (deliver session :adopted adopted)
    (dolist (evaluation orphans) (adopt-evaluation evaluation session))
    (adopt-offspring session)
    (adopt-threads (session-connection session))
    adopted))
