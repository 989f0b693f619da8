;;;; The threads of the image: who they are, what they do, and ending one.

(in-package "DESCARTES-SERVICE")

(defparameter *service-threads*
  '("descartes" "swank" "Swank" "control-thread" "reader-thread" "auto-flush-thread" "finalizer" "main thread"
    "repl-thread" "SPROF")
  "How the names of threads begin that serve everybody.")

(defun service-thread-p (thread)
  "True when THREAD belongs to the Lisp, to Swank or to us, so that everybody suffers when it ends."
  (let ((name (or (sb-thread:thread-name thread) "")))
    (or (sb-thread:thread-ephemeral-p thread)
        (and (not (working-evaluation thread))
             (some (lambda (start) (starts-at-p start name 0)) *service-threads*)))))

(defun boot-value (name)
  "Return the value of the variable NAME of the part that evaluates, or NIL where that is not here."
  (let* ((home (find-package "DESCARTES-BOOT"))
         (symbol (and home (find-symbol name home))))
    (and symbol (boundp symbol) (symbol-value symbol))))

(defun boot-call (name &rest arguments)
  (apply (find-symbol name "DESCARTES-BOOT") arguments))

(defun working-evaluation (thread)
  "Return the id of the evaluation that THREAD works for, or NIL."
  (let ((evaluations (boot-value "*EVALUATIONS*")))
    (when evaluations
      (sb-ext:with-locked-hash-table (evaluations)
        (loop for id being the hash-keys of evaluations using (hash-value evaluation)
              when (and (eq thread (boot-call "EVALUATION-THREAD" evaluation))
                        (null (boot-call "EVALUATION-OUTCOME" evaluation)))
                return id)))))

(defun current-evaluation ()
  "Return the id of the evaluation that this thread works for, or NIL."
  (let ((evaluation (boot-value "*EVALUATION*")))
    (and evaluation (boot-call "EVALUATION-ID" evaluation))))

(defun stopped-level (thread)
  (or (ignore-errors (sb-thread:symbol-value-in-thread 'swank::*sldb-level* thread nil)) 0))

(defun thread-object (thread)
  (let ((evaluation (working-evaluation thread))
        (level (stopped-level thread)))
    (list :object
          "id" (swank/backend:thread-id thread)
          "name" (or (sb-thread:thread-name thread) "")
          "state" (if (and (integerp level) (plusp level)) "stopped" "running")
          "evaluation" (and (stringp evaluation) evaluation)
          "service" (if (service-thread-p thread) t :false))))

(define-question "threads" (request package)
  (map 'vector #'thread-object
       (sort (remove sb-thread:*current-thread*
                     (remove-if-not #'sb-thread:thread-alive-p (sb-thread:list-all-threads)))
             #'< :key #'swank/backend:thread-id)))

(defun await-end (thread)
  "Return true when THREAD has ended within two seconds."
  (loop repeat 200
        while (sb-thread:thread-alive-p thread)
        do (sleep 1/100))
  (not (sb-thread:thread-alive-p thread)))

(define-question "killThread" (request package :slow t)
  (let* ((id (entry request "thread"))
         (thread (and (integerp id) (swank/backend:find-thread id))))
    (cond ((or (null thread) (not (sb-thread:thread-alive-p thread)))
           (refuse "not_found" "there is no thread ~a; lisp.threads lists those there are" id))
          ((or (eq thread sb-thread:*current-thread*) (service-thread-p thread))
           (refuse "invalid_params" "the thread ~a, ~a, serves everybody who uses this image; it is not killed"
                   id (sb-thread:thread-name thread))))
    (handler-case (swank/backend:kill-thread thread)
      (sb-thread:interrupt-thread-error () nil))
    (list :object "ended" (if (await-end thread) t :false))))
