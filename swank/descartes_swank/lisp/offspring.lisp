;;;; Threads that an evaluation starts: what they write and why they stop is the evaluation's, as its own is.

(in-package "DESCARTES-BOOT")

(defvar *offspring-ports* (make-hash-table :test 'eq :weakness :key :synchronized t)
  "Where such threads write; who takes over from a client that is gone gets these too.")

(defun offspring-port (evaluation)
  (let ((port (make-instance 'port :session (evaluation-session evaluation)
                                   :evaluation (evaluation-id evaluation))))
    (setf (gethash port *offspring-ports*) t)
    port))

(defun call-as-offspring (evaluation function arguments)
  "Call FUNCTION in a new thread that EVALUATION started."
  (let ((*evaluation* evaluation)
        (port (offspring-port evaluation))
        ;; Where an interrupt waits that comes while a message is being sent.
        (swank/backend::*pending-slime-interrupts* '()))
    (with-streams (port)
      (unwind-protect (call-with-stack (lambda () (apply function arguments)))
        (ignore-errors (flush-port port :wait nil))))))

(defun make-thread-of-evaluation (make-thread function &rest arguments)
  "Call MAKE-THREAD, the Lisp's own; where an evaluation calls it, the thread belongs to that."
  (let ((evaluation *evaluation*))
    (if evaluation
        (apply make-thread
               (lambda (&rest given) (call-as-offspring evaluation function given))
               arguments)
        (apply make-thread function arguments))))

(defun spawn-for-nobody (spawn &rest arguments)
  "Call SPAWN, Swank's own: Swank's threads serve their connections, whoever was first to need them."
  (let ((*evaluation* nil))
    (apply spawn arguments)))

(sb-int:encapsulate 'sb-thread:make-thread 'of-evaluation #'make-thread-of-evaluation)
(sb-int:encapsulate 'swank/backend:spawn 'for-nobody #'spawn-for-nobody)

(defun adopt-offspring (session)
  "Let SESSION hear what the threads write whose client is gone."
  (dolist (port (sb-ext:with-locked-hash-table (*offspring-ports*)
                  (loop for port being the hash-keys of *offspring-ports* collect port)))
    (unless (session-live-p (port-session port)) (give-port port session))))
