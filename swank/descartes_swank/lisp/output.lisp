;;;; Sessions, and streams that lead to them: what an evaluation writes and reads goes to who asked for it.
;;;;
;;;; Works in an image of ours and, sent over the connection, in any SBCL that runs Swank. Nothing here
;;;; relies on Swank's REPL or on a global variable that two clients would share. All that is sent goes as
;;;; (:channel-send 0 MESSAGE), which every version of Swank passes on unchanged.

(eval-when (:compile-toplevel :load-toplevel :execute)
  (unless (find-package "DESCARTES-BOOT")
    (make-package "DESCARTES-BOOT" :use '("COMMON-LISP"))))

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(answer-input)))

;;; Sessions: one for each connection that evaluates

(defclass session ()
  ((connection :initarg :connection :accessor session-connection)
   (port :accessor session-port :documentation "Where output goes that belongs to no evaluation."))
  (:documentation "A client that evaluates. It outlives its connection until another one adopts it."))

(defvar *sessions* '() "The sessions whose clients are there, newest first.")
(defvar *session-count* 0)
(defconstant +ids-per-session+ 10000000 "Request ids are unique in an image: an old one may still answer.")

(defun live-connection-p (connection)
  (and connection (member connection swank::*connections* :test #'eq) t))

(defun session-live-p (session)
  (live-connection-p (session-connection session)))

(defun take-interrupts ()
  "Run an interrupt that came while a message was being sent; Swank would leave it lying."
  (when (and (boundp 'swank::*slime-interrupts-enabled*) swank::*slime-interrupts-enabled*)
    (swank/backend:check-slime-interrupts)))

(defun post (session event)
  "Send EVENT to the client of SESSION; nil when there is none."
  (when (session-live-p session)
    (swank::without-slime-interrupts
      (swank/backend:send (swank::mconn.control-thread (session-connection session)) event))
    (take-interrupts)
    t))

(defun deliver (session &rest message)
  (post session (list :channel-send 0 message)))

;;; Ports: where the streams of one evaluation lead

(defconstant +chunk+ 16384 "Characters in one message of output.")
(defconstant +chunks-ahead+ 32 "Messages of output that are sent before the client must have read them.")
(defconstant +backlog+ 1048576 "Characters of output that are kept while no client is attached.")

(defclass port ()
  ((session :initarg :session :accessor port-session)
   (evaluation :initarg :evaluation :initform nil :reader port-evaluation)
   (buffer :initform (make-string +chunk+) :reader port-buffer)
   (fill :initform 0 :accessor port-fill)
   (kind :initform :output :accessor port-kind)
   (column :initform 0 :accessor port-column)
   (line :initform "" :accessor port-line :documentation "What was sent since the last newline.")
   (ahead :initform 0 :accessor port-ahead)
   (waiting :initform nil :accessor port-waiting :documentation "(THREAD . TAG) of a wait for the client.")
   (question :initform nil :accessor port-question :documentation "The :input message without an answer yet.")
   (backlog :initform '() :accessor port-backlog)
   (backlog-size :initform 0 :accessor port-backlog-size)
   (scheduled :initform nil :accessor port-scheduled)
   (sending :initform (sb-thread:make-mutex :name "descartes sending") :reader port-sending)
   (lock :initform (sb-thread:make-mutex :name "descartes port") :reader port-lock)))

(defmacro without-stopping ((lock) &body body)
  "Run BODY with LOCK. An interrupt waits: stopping here would stop all who share the lock."
  `(swank::without-slime-interrupts
     (sb-thread:with-recursive-lock (,lock) ,@body)))

(defmacro with-port ((port) &body body)
  `(without-stopping ((port-lock ,port)) ,@body))

(defmacro with-sending ((port) &body body)
  "Run BODY while nobody else sends what PORT holds: a piece must not overtake the one before it."
  `(without-stopping ((port-sending ,port)) ,@body))

(defun take-buffer (port)
  "Return what PORT holds and its kind, or nil."
  (with-port (port)
    (when (plusp (port-fill port))
      (multiple-value-prog1 (values (subseq (port-buffer port) 0 (port-fill port)) (port-kind port))
        (setf (port-fill port) 0)))))

(defun keep-backlog (port kind text)
  (when (<= (incf (port-backlog-size port) (length text)) +backlog+)
    (push (cons kind text) (port-backlog port))))

(defun remember-line (port text)
  (let ((newline (position #\Newline text :from-end t)))
    (setf (port-line port)
          (let ((line (if newline
                          (subseq text (1+ newline))
                          (concatenate 'string (port-line port) text))))
            (subseq line (max 0 (- (length line) 2000)))))))

(defun flush-port (port &key (wait t))
  "Send what PORT holds. WAIT: keep a fast writer from running far ahead of the client."
  (when (and (with-sending (port) (send-buffer port))
             wait
             (>= (incf (port-ahead port)) +chunks-ahead+))
    (setf (port-ahead port) 0)
    (await-client port))
  (take-interrupts))

(defun send-buffer (port)
  "Send or keep what PORT holds; return whether something was sent."
  (multiple-value-bind (text kind) (take-buffer port)
    (when text
      (remember-line port text)
      (or (deliver (port-session port) :output (port-evaluation port) kind text)
          (progn (keep-backlog port kind text) nil)))))

(defun give-port (port session)
  "Let PORT lead to SESSION, which hears first what was written while nobody was there."
  (with-sending (port)
    (setf (port-session port) session)
    (loop for (kind . text) in (reverse (shiftf (port-backlog port) '()))
          do (deliver session :output (port-evaluation port) kind text))))

(defun await-client (port)
  "Wait until the client has read what was sent, or is gone."
  (if (not (boundp 'swank/backend::*pending-slime-interrupts*))
      (sleep 1/100)                     ; a thread that Swank does not know cannot hear an answer
      (let ((tag (swank::make-tag)))
        (setf (port-waiting port) (cons (swank/backend:current-thread) tag))
        (unwind-protect
             (when (post (port-session port) (list :ping (swank::current-thread-id) tag))
               (swank::without-slime-interrupts
                 (swank/backend:receive-if (lambda (event) (equal event (list :emacs-pong tag))))))
          (setf (port-waiting port) nil)))))

(defun release-writer (port)
  "Let a thread go on that waits for a client that is gone."
  (let ((waiting (port-waiting port)))
    (when waiting
      (swank/backend:send (car waiting) (list :emacs-pong (cdr waiting))))))

(defun note-column (port string start end)
  (let ((newline (position #\Newline string :start start :end end :from-end t)))
    (if newline
        (setf (port-column port) (- end newline 1))
        (incf (port-column port) (- end start)))))

(defun put-some (port kind string start end)
  "Put as much of STRING into the buffer of PORT as fits; return where to go on."
  (with-port (port)
    (cond ((and (plusp (port-fill port)) (not (eq kind (port-kind port)))) start)
          (t (let* ((fill (port-fill port))
                    (count (min (- end start) (- +chunk+ fill))))
               (setf (port-kind port) kind)
               (replace (port-buffer port) string :start1 fill :start2 start :end2 (+ start count))
               (incf (port-fill port) count)
               (+ start count))))))

(defun put-text (port kind string start end)
  (with-port (port) (note-column port string start end))
  (loop for next = (put-some port kind string start end)
        do (when (or (< next end) (= (port-fill port) +chunk+))
             (flush-port port))
           (setf start next)
        while (< start end))
  (flush-soon port)
  (take-interrupts))

;;; Output that nobody flushes is sent soon after it was written

(defvar *flush-queue* (sb-thread:make-mutex :name "descartes flush queue"))
(defvar *unflushed* '() "Ports that hold output.")
(defvar *flusher* nil "The thread that sends it.")

(defun flush-soon (port)
  (unless (or (port-scheduled port) (zerop (port-fill port)))
    (setf (port-scheduled port) t)
    (without-stopping (*flush-queue*)
      (push port *unflushed*)
      (unless (and *flusher* (sb-thread:thread-alive-p *flusher*))
        (setf *flusher* (swank/backend:spawn #'flush-now-and-then :name "descartes flusher"))))))

(defun take-unflushed ()
  "Return the ports to flush; when there are none, the flusher ends and the second value is true."
  (without-stopping (*flush-queue*)
    (let ((ports (shiftf *unflushed* '())))
      (unless ports (setf *flusher* nil))
      (values ports (null ports)))))

(defun flush-now-and-then ()
  (loop
    (sleep 1/20)
    (multiple-value-bind (ports done) (take-unflushed)
      (when done (return))
      (dolist (port ports)
        (setf (port-scheduled port) nil)
        (ignore-errors (flush-port port :wait nil))))))

;;; Streams

(defclass port-stream ()
  ((port :initarg :port :reader stream-port)))

(defclass output-to-port (port-stream sb-gray:fundamental-character-output-stream)
  ((kind :initarg :kind :reader stream-kind)))

(defmethod sb-gray:stream-write-char ((stream output-to-port) char)
  (put-text (stream-port stream) (stream-kind stream) (string char) 0 1)
  char)

(defmethod sb-gray:stream-write-string ((stream output-to-port) string &optional (start 0) end)
  (put-text (stream-port stream) (stream-kind stream) string start (or end (length string)))
  string)

(defmethod sb-gray:stream-line-column ((stream output-to-port))
  (port-column (stream-port stream)))

(defmethod sb-gray:stream-force-output ((stream output-to-port))
  (flush-port (stream-port stream)))

(defmethod sb-gray:stream-finish-output ((stream output-to-port))
  (flush-port (stream-port stream)))

(defclass input-from-port (port-stream sb-gray:fundamental-character-input-stream)
  ((text :initform "" :accessor input-text)
   (next :initform 0 :accessor input-next)))

(defun ask-again (port)
  (when (port-question port)
    (apply #'deliver (port-session port) (port-question port))))

(defun ask-for-line (port)
  "Return what the client types; the question is the line that was written last."
  (flush-port port)
  (let ((tag (swank::make-tag)))
    (setf (port-question port)
          (list :input (port-evaluation port) (swank::current-thread-id) tag (port-line port))
          (port-column port) 0
          (port-line port) "")
    (unwind-protect
         (progn (ask-again port)
                (or (third (swank::wait-for-event `(:emacs-return-string ,tag value)))
                    (abort)))
      (setf (port-question port) nil)
      (deliver (port-session port) :input-ended tag))))

(defun next-char (stream advance)
  (when (>= (input-next stream) (length (input-text stream)))
    (setf (input-text stream) (ask-for-line (stream-port stream))
          (input-next stream) 0))
  (if (zerop (length (input-text stream)))
      :eof
      (prog1 (char (input-text stream) (input-next stream))
        (when advance (incf (input-next stream))))))

(defmethod sb-gray:stream-read-char ((stream input-from-port)) (next-char stream t))
(defmethod sb-gray:stream-peek-char ((stream input-from-port)) (next-char stream nil))

(defmethod sb-gray:stream-unread-char ((stream input-from-port) char)
  (declare (ignore char))
  (decf (input-next stream))
  nil)

(defmethod sb-gray:stream-listen ((stream input-from-port))
  (< (input-next stream) (length (input-text stream))))

(defmethod sb-gray:stream-read-char-no-hang ((stream input-from-port))
  (when (listen stream) (next-char stream t)))

(defmethod sb-gray:stream-clear-input ((stream input-from-port))
  (setf (input-text stream) "" (input-next stream) 0)
  nil)

(defmethod sb-gray:stream-line-column ((stream input-from-port)) 0)

(defun port-bindings (port)
  "Return an alist that leads the standard streams to PORT."
  (let* ((output (make-instance 'output-to-port :port port :kind :output))
         (errors (make-instance 'output-to-port :port port :kind :error))
         (input (make-instance 'input-from-port :port port))
         (both (make-two-way-stream input output)))
    `((*standard-output* . ,output) (*error-output* . ,errors) (*trace-output* . ,output)
      (*standard-input* . ,input) (*query-io* . ,both) (*debug-io* . ,both) (*terminal-io* . ,both))))

(defun current-session ()
  "Return the session of this thread's connection, which may have ended: the streams of both are the same."
  (let ((output (cdr (assoc '*standard-output* (swank::connection.env swank::*emacs-connection*)))))
    (port-session (stream-port output))))

(defmacro with-streams ((port) &body body)
  (let ((bindings (gensym "BINDINGS")))
    `(let ((,bindings (port-bindings ,port)))
       (progv (mapcar #'car ,bindings) (mapcar #'cdr ,bindings)
         ,@body))))

(defun answer-input (thread-id tag answer)
  "Give ANSWER, a line or nil, to the thread that asked with TAG; nil when it is gone."
  (let ((thread (swank/backend:find-thread thread-id)))
    (when (and thread (swank/backend:thread-alive-p thread))
      (swank/backend:send thread (list :emacs-return-string tag answer))
      t)))

;;; Printing that ends, whatever is printed

(defconstant +values-limit+ 4194304 "Octets of printed values in one message; Swank's own limit is 16 MiB.")

(defclass bounded-printer (sb-gray:fundamental-character-output-stream)
  ((text :initform (make-string-output-stream) :reader printer-text)
   (room :initarg :room :accessor printer-room :documentation "Octets that still fit.")
   (full :initarg :full :reader printer-full :documentation "Called when one does not.")))

(defun wire-size (char)
  "Octets of CHAR in a message: quotes and backslashes are escaped there, the rest is UTF-8."
  (let ((code (char-code char)))
    (cond ((or (char= char #\") (char= char #\\)) 2)
          ((< code #x80) 1)
          ((< code #x800) 2)
          ((< code #x10000) 3)
          (t 4))))

(defmethod sb-gray:stream-write-char ((stream bounded-printer) char)
  (when (minusp (decf (printer-room stream) (wire-size char)))
    (funcall (printer-full stream)))
  (write-char char (printer-text stream)))

(defmethod sb-gray:stream-line-column ((stream bounded-printer)) nil)

(defun call-with-bounded-printer (room function)
  "Return what FUNCTION writes on its argument, cut where it takes more than ROOM octets, and the room left."
  (let ((stream nil))
    (block full
      (setf stream (make-instance 'bounded-printer :room room :full (lambda () (return-from full))))
      (funcall function stream))
    (let ((text (get-output-stream-string (printer-text stream)))
          (left (printer-room stream)))
      (if (minusp left)
          (values (concatenate 'string text "… (cut here: too much to print)") 0)
          (values text left)))))

(defun print-failure (value condition stream)
  "Say in the place of VALUE that printing it failed with CONDITION."
  (format stream "#<~a that cannot be printed: ~a>"
          (or (ignore-errors (prin1-to-string (type-of value))) "object")
          (or (ignore-errors (prin1-to-string (type-of condition))) "error")))

(defun printed-value (value room)
  "Return VALUE as `prin1` prints it, never more than ROOM octets and never an error, and the room left."
  (call-with-bounded-printer
   room
   (lambda (stream)
     (let ((*print-readably* nil))
       (handler-case (prin1 value stream)
         (serious-condition (condition) (print-failure value condition stream)))))))

(defun printed-values (values &optional (room +values-limit+))
  (loop for value in values
        collect (multiple-value-bind (text left) (printed-value value room)
                  (setf room left)
                  text)))

(defun condition-text (condition)
  (values (call-with-bounded-printer 65536 (lambda (stream)
                                          (write-string (swank::safe-condition-message condition) stream)))))

(defmacro or-invalid (&body body)
  "Return the value of BODY, or (:invalid WHY) when it signals or stops; never a nested stop."
  (let ((name (gensym "OR-INVALID")))
    `(block ,name
       (flet ((refuse (condition)
                (return-from ,name (list :invalid (condition-text condition)))))
         (handler-bind ((serious-condition #'refuse)
                        (warning #'muffle-warning))
           (swank/backend:call-with-debugger-hook
            (lambda (condition hook) (declare (ignore hook)) (refuse condition))
            (lambda () ,@body)))))))

(defun call-within (seconds function)
  "Return the value of FUNCTION, or :late when it takes longer than SECONDS."
  (let* ((tag (list :late))
         (over nil)
         (timer (sb-ext:make-timer (lambda () (unless over (throw tag :late)))
                                   :thread sb-thread:*current-thread* :name "descartes deadline")))
    (catch tag
      (sb-ext:schedule-timer timer seconds)
      (unwind-protect (funcall function)
        (setf over t)
        (sb-ext:unschedule-timer timer)))))
