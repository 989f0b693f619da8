;;;; Answering a question: by name, within a deadline, and never by way of a debugger.

(in-package "DESCARTES-SERVICE")

(defstruct question
  id
  request
  (thread nil)          ; which answers it, from when it begins to
  (deadline nil)        ; in internal real time
  (phase :waiting)      ; then :running, until its own thread has an answer or gives up
  (reason nil)          ; why it is given up, set by whoever wants that
  (owner nil))          ; who may cancel it

(defvar *questions* '() "The questions that were asked and are not answered.")
(defvar *questions-lock* (sb-thread:make-mutex :name "descartes questions"))
(defvar *watcher* nil "The thread that interrupts questions at their deadlines.")
(defvar *watcher-wakes* (sb-thread:make-waitqueue))

(defun text-argument (request key)
  (let ((value (entry request key)))
    (if (stringp value)
        value
        (error "Expected a text for ~s in the question, found ~a" key (if value "something else" "none")))))

(defun limit-argument (request default)
  (let ((limit (entry request "limit")))
    (if (and (integerp limit) (plusp limit)) (min limit 10000) default)))

(defvar *more-questions* (make-hash-table :test #'equal)
  "By name: (FUNCTION . SLOW), for the questions that other files answer.")

(defmacro define-question (name (request package &key slow) &body body)
  "Answer the question NAME by BODY. SLOW: no short question of the same client waits for it."
  `(setf (gethash ,name *more-questions*)
         (cons (lambda (,request ,package) (declare (ignorable ,request ,package)) ,@body) ,slow)))

(define-condition refusal (error)
  ((code :initarg :code :reader refusal-code)
   (message :initarg :message :reader refusal-message))
  (:report (lambda (refusal out) (write-string (refusal-message refusal) out)))
  (:documentation "A question that makes no sense; CODE tells programs why."))

(defun refuse (code control &rest arguments)
  (error 'refusal :code code
                  :message (let ((*print-pretty* nil) (*print-length* 10) (*print-level* 3))
                             (bounded-text 1000 (lambda (out) (apply #'format out control arguments))))))
(defun plain-data (value)
  "Return VALUE, lists of texts, keywords and truth values, as PUT-JSON takes it."
  (typecase value
    (cons (map 'vector #'plain-data value))
    (keyword (string-downcase value))
    (t value)))

(defun drift (file units)
  "Return what the image has of UNITS of FILE, as MARK-STATES says it; nothing while nobody ever attached."
  (let* ((package (find-package "DESCARTES-BOOT"))
         (function (and package (find-symbol "MARK-STATES" package))))
    (and function (fboundp function) (plain-data (funcall function file units)))))

(defun answer-question (request)
  "Return the answer to REQUEST, a value for PUT-JSON."
  (let ((question (text-argument request "question"))
        (package (designated-package (entry request "package"))))
    (flet ((question-p (name) (string= question name))
           (named (function)
             (multiple-value-bind (name found) (parse-function-name (text-argument request "name") package)
               (and found (funcall function name)))))
      (let ((*package* package))
        (cond ((question-p "symbol") (named (lambda (name) (if (consp name) nil (symbol-information name)))))
              ((question-p "completions")
               (completions (text-argument request "prefix") package (limit-argument request 200)))
              ((question-p "arglist") (named #'arglist))
              ((question-p "definitions") (definitions (text-argument request "name") package))
              ((question-p "drift") (drift (text-argument request "file") (entry request "units")))
              ((question-p "classify") (classification (entry request "names") package))
              ((question-p "bodies") (body-positions (entry request "names") package))
              ((question-p "describe")
               (or (named (lambda (name) (if (consp name) nil (description name)))) ""))
              ((question-p "apropos")
               (apropos-candidates (text-argument request "text")
                                   (and (entry request "package") package)
                                   (limit-argument request 1000)))
              ((gethash question *more-questions*)
               (funcall (car (gethash question *more-questions*)) request package))
              (t (error "Expected a question that is known, found ~s" question)))))))

(defun slow-p (request)
  "True when REQUEST may take long, so that no short one should wait for it."
  (let ((question (entry request "question")))
    (or (equal question "apropos") (cdr (gethash question *more-questions*)))))

;;; Deadlines and cancelling

(defun give-up (question reason)
  "Make the thread of QUESTION stop answering it, now or as soon as it begins, because of REASON."
  (setf (question-reason question) reason)
  (sb-thread:barrier (:memory))
  ;; A thread that is not set yet, or not running yet, looks for the reason when it begins.
  (let ((thread (question-thread question)))
    (when thread
      (ignore-errors
       (sb-thread:interrupt-thread
        thread
        (lambda ()
          ;; This runs in the thread that answers: the phase cannot change meanwhile.
          (when (eq (question-phase question) :running)
            (setf (question-phase question) :given-up)
            (throw question reason))))))))

(defun overdue-questions ()
  (let ((now (get-internal-real-time)))
    (remove-if-not (lambda (question)
                     (and (question-deadline question) (<= (question-deadline question) now)))
                   *questions*)))

(defun watch-questions ()
  "Interrupt every question at its deadline; sleep while there is none."
  (loop
    (let ((overdue (sb-thread:with-mutex (*questions-lock*)
                     (unless *questions*
                       (sb-thread:condition-wait *watcher-wakes* *questions-lock*))
                     (overdue-questions))))
      (dolist (question overdue)
        ;; Asked once: the next round would otherwise do it again before the thread has heard.
        (setf (question-deadline question) nil)
        (give-up question "timeout")))
    (sleep 1/200)))

(defun ensure-watcher ()
  (unless (and *watcher* (sb-thread:thread-alive-p *watcher*))
    (setf *watcher* (sb-thread:make-thread #'watch-questions :name "descartes deadlines"))))

(defun cancel-questions (owner &optional (id nil one))
  "Give up the questions of OWNER, or the ONE called ID; true when there was one."
  (flet ((meant-p (question)
           (and (equal owner (question-owner question))
                (or (not one) (equal id (question-id question))))))
    (let ((meant (sb-thread:with-mutex (*questions-lock*) (remove-if-not #'meant-p *questions*))))
      (dolist (question meant (not (null meant)))
        (give-up question "cancelled")))))

(defun question-deadline-of (request)
  (let ((allowed (entry request "deadlineMs")))
    (and (integerp allowed)
         (+ (get-internal-real-time)
            (ceiling (* allowed internal-time-units-per-second) 1000)))))

(defun register-question (request owner)
  "Return the question that REQUEST of OWNER asks, from now on under watch; ANSWER-REGISTERED ends that."
  (let ((question (make-question :id (entry request "id") :request request :owner owner
                                 :deadline (question-deadline-of request))))
    (sb-thread:with-mutex (*questions-lock*)
      (unless *questions* (sb-thread:condition-notify *watcher-wakes*))
      (push question *questions*))
    question))

;;; One answer, whatever happens

(defun failure (code message)
  (list :object "code" code "message" message))

(defun reason-failure (reason)
  (failure reason (if (string= reason "timeout")
                      "The Lisp did not answer in time; ask again or allow more time"
                      "The question was cancelled")))

(defun one-line (text)
  "Return TEXT with a single blank for every run of blanks and line ends."
  (with-output-to-string (out)
    (loop with gap = nil
          for char across (string-trim '(#\Space #\Newline #\Return #\Tab) text)
          do (cond ((find char '(#\Space #\Newline #\Return #\Tab)) (setf gap t))
                   (t (when (shiftf gap nil) (write-char #\Space out))
                      (write-char char out))))))

(defun condition-failure (condition)
  (failure (if (typep condition 'refusal) (refusal-code condition) "error")
           (handler-case (one-line (bounded-text 1000 (lambda (out) (princ condition out))))
             (serious-condition () (string (type-of condition))))))

(defun begin (question)
  "Say that this thread answers QUESTION from here on; leave at once if it was given up before."
  (setf (question-thread question) sb-thread:*current-thread*
        (question-phase question) :running)
  (sb-thread:barrier (:memory))
  (when (question-reason question)
    (setf (question-phase question) :given-up)
    (throw question (question-reason question))))

(defun guarded-answer (question)
  "Return the answer to QUESTION and NIL, or NIL and a failure."
  (let* ((quiet (make-two-way-stream (make-concatenated-stream) (make-broadcast-stream)))
         (reason
           (catch question
             (let* ((*standard-output* quiet) (*error-output* quiet) (*trace-output* quiet)
                    (*standard-input* quiet) (*query-io* quiet) (*debug-io* quiet) (*terminal-io* quiet)
                    (*debugger-hook* nil)
                    (sb-ext:*invoke-debugger-hook*
                      (lambda (condition hook)
                        (declare (ignore hook))
                        (setf (question-phase question) :given-up)
                        (throw question condition))))
               (handler-case
                   (let ((answer (progn (begin question) (answer-question (question-request question)))))
                     (setf (question-phase question) :answered)
                     (return-from guarded-answer (values answer nil)))
                 (serious-condition (condition)
                   (setf (question-phase question) :given-up)
                   condition))))))
    (values nil (if (stringp reason) (reason-failure reason) (condition-failure reason)))))

(defun answer-registered (question)
  "Return the object that answers QUESTION, which ends with it: {id, answer} or {id, error}."
  (let ((id (question-id question)))
    (multiple-value-bind (answer failure)
        (unwind-protect (guarded-answer question)
          (sb-thread:with-mutex (*questions-lock*)
            (setf *questions* (delete question *questions* :count 1))))
      (if failure
          (list :object "id" id "error" failure)
          (list :object "id" id "answer" answer)))))

(defvar *texts* nil "Which version of these files was sent to an image that was only attached to.")

(defvar *cancelled-early* '() "(owner . id) of the last questions cancelled before they arrived.")

(defun cancel-text (owner id)
  "Cancel the question ID of OWNER; Swank's workers may come to this before they come to the question."
  (unless (cancel-questions owner id)
    (let ((cancelled (cons (cons owner id) *cancelled-early*)))
      (setf *cancelled-early* (subseq cancelled 0 (min 64 (length cancelled)))))))

(defun answer-text (text owner)
  "Return the JSON that answers the JSON in TEXT; the door for those who ask through Swank."
  (ensure-watcher)
  (let ((question (register-question (read-json text) owner)))
    (when (member (cons owner (question-id question)) *cancelled-early* :test #'equal)
      (setf (question-reason question) "cancelled"))
    (json-text (answer-registered question))))
