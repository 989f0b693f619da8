;;;; Stepping through code that was compiled with full debug, and what must not happen while a thread is
;;;; stopped: neither stepping nor breaking on signals in the debugger's own work.
;;;;
;;;; SBCL traps before each call of such code while its thread steps. A plan, one for each thread, says
;;;; where that is worth a stop. Whatever else leaves a stop ends the stepping.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(step-on break-on-signals signals-broken-on)))

;;; Whose code is running

(defvar *in-debugger* nil "True while this thread is stopped and does what a client asks for.")

(defparameter *plumbing-threads*
  '("worker" "control-thread" "reader-thread" "auto-flush-thread" "repl-thread" "finalizer")
  "The names of threads in which no code of the user's runs, save in evaluations.")

(defun plumbing-thread-p ()
  (let ((name (sb-thread:thread-name sb-thread:*current-thread*)))
    (and (stringp name)
         (or (member name *plumbing-threads* :test #'string=)
             (eql 0 (search "swank" name :test #'char-equal))
             (eql 0 (search "descartes" name)))
         t)))

(defun users-thread-p ()
  "True for a thread that is the user's altogether: one that an evaluation started, or anybody's."
  (if *evaluation*
      (not (eq (evaluation-thread *evaluation*) sb-thread:*current-thread*))
      (not (plumbing-thread-p))))

(defun users-code-p ()
  "True where a stop is one of the user's code, not of Swank's or ours."
  (and (not *in-debugger*)
       (or (plusp *user-code-depth*) (users-thread-p))))

;;; Plans

(defstruct plan
  (kind :into :type (member :into :next :out :off))
  (address 0 :type (unsigned-byte 64))  ; of the frame that the step was asked for in
  (called nil)                          ; true when the call it began with tells when it has ended
  (form nil)                            ; what was called last, as text
  (values nil)                          ; and its values
  (end nil))                            ; where it last stopped because nothing else would step

(defvar *plans* (make-hash-table :test 'eq :synchronized t :weakness :key)
  "By thread: how it is to step. Without a plan every step is a stop: somebody used `step` in the code.")

(defun current-plan ()
  (gethash sb-thread:*current-thread* *plans*))

(defun (setf current-plan) (plan)
  (if plan
      (setf (gethash sb-thread:*current-thread* *plans*) plan)
      (remhash sb-thread:*current-thread* *plans*)))

(defun stop-stepping ()
  "End stepping in this thread; what SBCL switches on again while it unwinds is ignored."
  (sb-impl::disable-stepping)
  (when (current-plan)
    (setf (current-plan) (make-plan :kind :off))))

(defun begin-users-code ()
  "Forget how the last evaluation stepped."
  (sb-impl::disable-stepping)
  (setf (current-plan) nil))

(defun frame-address (frame)
  (sb-sys:sap-int (sb-di::frame-pointer frame)))

(defun worth-a-stop-p (plan frame)
  "True when a step in FRAME is one that PLAN asks for. The stack grows downwards: callers lie higher."
  (ecase (if plan (plan-kind plan) :into)
    (:into t)
    (:next (>= (frame-address frame) (plan-address plan)))
    (:out (> (frame-address frame) (plan-address plan)))
    (:off nil)))

;;; Stops

(define-condition stepped (condition)
  ((form :initarg :form :reader stepped-form)
   (arguments :initarg :arguments :reader stepped-arguments)
   (done :initarg :done :reader stepped-done)
   (values :initarg :values :reader stepped-values))
  (:report report-step)
  (:documentation "Why a thread stopped that steps: FORM is what it does next, DONE what it did last."))

(defun step-text (object)
  (values (printed-value object 400)))

(defun form-text (form)
  (if (stringp form) form (step-text form)))

(defun report-step (condition stream)
  (let ((arguments (stepped-arguments condition)))
    (format stream "Next: ~a~@[ with ~{~a~^, ~}~]" (stepped-form condition)
            (and (listp arguments) (mapcar #'step-text arguments)))
    (when (stepped-done condition)
      (format stream "~%Done: ~a => ~:[no value~;~:*~{~a~^, ~}~]" (stepped-done condition)
              (mapcar #'step-text (stepped-values condition))))))

(defun stepping-entry (condition)
  "Return (FORM ARGUMENTS DONE VALUES) as text for a stop while stepping, else nil."
  (when (typep condition 'stepped)
    (let ((arguments (stepped-arguments condition)))
      (list (stepped-form condition)
            (if (listp arguments) (mapcar #'step-text arguments) :unknown)
            (stepped-done condition)
            (mapcar #'step-text (stepped-values condition))))))

(defun stop-before (form arguments plan frame)
  "Stop in FRAME before FORM, a text. Answers when the client goes on: with stepping when it asked for that."
  (setf (current-plan) (make-plan :kind :off :end (and plan (plan-end plan))))
  (let ((sb-debug:*stack-top-hint* frame))
    (with-simple-restart (continue "Go on without stepping.")
      (invoke-debugger (make-condition 'stepped
                                       :form form
                                       :arguments (if (listp arguments) (copy-list arguments) :unknown)
                                       :done (and plan (plan-form plan))
                                       :values (and plan (plan-values plan)))))))

(defun on-step (condition)
  "Handle a condition of SBCL's stepper as this thread's plan says."
  (sb-impl::disable-stepping)
  (typecase condition
    (sb-ext:step-values-condition
     (take-values (current-plan) condition)
     (when (and (current-plan) (not (eq (plan-kind (current-plan)) :off)))
       (sb-impl::enable-stepping)))
    (sb-ext:step-form-condition
     (invoke-restart (restart-for-step condition)))))

(defun take-values (plan condition)
  "Let PLAN have the values of CONDITION, for the next stop; here when there would be no other."
  (when plan
    (setf (plan-form plan) (form-text (sb-ext:step-condition-form condition))
          (plan-values plan) (copy-list (sb-ext:step-condition-result condition)))
    (let ((frame (calling-frame)))
      (when (and frame (ignore-errors (at-the-end-p plan frame)))
        (setf (plan-end plan) (frame-place frame))
        (stop-before (format nil "the rest of ~a" (step-text (frame-name frame))) '() plan frame)))))

;;; Where nothing steps any more: SBCL does not trap at calls such as LENGTH and /, nor at a return

(defun calling-frame ()
  "Return the frame of the call whose values SBCL's stepper tells, as `sb-impl::step-values` is called."
  (let ((wrapper (skip-frames (sb-di:top-frame)
                              (lambda (frame)
                                (not (eq (frame-name frame) 'sb-di::handle-single-step-around-trap))))))
    (and wrapper (sb-di:frame-down wrapper))))

(defun frame-place (frame)
  (cons (frame-address frame) (sb-di::compiled-code-location-pc (sb-di:frame-code-location frame))))

(defun at-the-end-p (plan frame)
  "True when what came back to FRAME is worth a stop of PLAN, and no other stop would show it.
In a loop that is so each time; it stops the first time only."
  (and (worth-a-stop-p plan frame)
       (not (equal (plan-end plan) (frame-place frame)))
       (loop for each = frame then (sb-di:frame-down each)
             repeat 1000
             while (and each (not (end-of-user-frames-p each)))
             never (steps-later-p each))))

(defun steps-later-p (frame)
  "True when the code of FRAME has a call after the one it is in at which SBCL traps."
  (let ((now (cdr (frame-place frame)))
        (function (sb-di:frame-debug-fun frame)))
    (handler-case
        (sb-di:do-debug-fun-blocks (block function)
          (sb-di:do-debug-block-locations (location block)
            (let ((pc (sb-di::compiled-code-location-pc location)))
              (when (and (> pc now)
                         (plusp (length (sb-di::compiled-code-location-step-info location)))
                         (trap-before-p function pc))
                (return-from steps-later-p t)))))
      (sb-di:debug-condition () nil))))

(defun trap-before-p (function pc)
  "True when a step's trap ends right before PC in the code of FUNCTION; not every noted call has one."
  #-(or x86 x86-64) (declare (ignore function pc))
  #-(or x86 x86-64) t
  #+(or x86 x86-64)
  (let ((code (sb-di::compiled-debug-fun-component function)))
    (and (>= pc 2)
         (sb-sys:with-pinned-objects (code)
           (let ((instructions (sb-kernel:code-instructions code)))
             (and (member (sb-sys:sap-ref-8 instructions (- pc 2)) '(#xCC #x0B)) ; INT3 or UD2
                  (member (sb-sys:sap-ref-8 instructions (- pc 1))
                          (list sb-vm:single-step-around-trap sb-vm:single-step-before-trap))
                  t))))))

(defun restart-for-step (condition)
  "Return the restart of SBCL's that does what the plan, or a client that is asked, wants at CONDITION."
  (let ((plan (current-plan)))
    (flet ((go-on (name)
             (sb-impl::enable-stepping)
             name))
      (cond ((and plan (eq (plan-kind plan) :off)) 'sb-ext:step-continue)
            ((not (users-code-p)) (go-on 'sb-ext:step-next))
            ((worth-a-stop-p plan (sb-di::find-stepped-frame))
             (stop-before (form-text (sb-ext:step-condition-form condition))
                          (sb-ext:step-condition-args condition) plan (sb-di::find-stepped-frame))
             (let ((plan (current-plan)))
               (ecase (plan-kind plan)
                 (:off 'sb-ext:step-continue)
                 (:out (go-on 'sb-ext:step-next))
                 ;; Into the call also for the next one here: else its values would not be told.
                 ((:into :next)
                  (setf (plan-called plan) t)
                  (go-on 'sb-ext:step-into)))))
            ;; The first step inside a call that is stepped over: the rest of it runs at full speed.
            ((and plan (eq (plan-kind plan) :next) (plan-called plan) sb-impl::*step-out*)
             'sb-ext:step-out)
            (t (go-on 'sb-ext:step-next))))))

(defun step-on (level kind)
  "Leave the stop LEVEL and stop again as KIND says: :into a call, at the :next one here, :out of this one."
  (at-level (level)
    (let* ((condition swank::*swank-debugger-condition*)
           (restart (find-restart 'continue condition))
           (entering (typep condition 'function-breakpoint-reached)))
      (cond ((null restart)
             (list :invalid (format nil "there is no restart CONTINUE here, so that stepping is not ~
                                         possible; choose one of the restarts")))
            (t (setf (current-plan)
                     (make-plan :kind (if (and entering (eq kind :next)) :into kind)
                                :address (frame-address (first-user-frame))
                                :end (and (current-plan) (plan-end (current-plan)))))
               (unless (typep condition 'stepped)
                 (sb-impl::enable-stepping))
               (invoke-restart restart))))))

;;; The debugger's own work

(defun debug-undisturbed (debug condition &rest arguments)
  "Call DEBUG, Swank's own, so that nothing it does steps or breaks."
  (let ((*in-debugger* t))
    (sb-impl::disable-stepping)
    (apply debug condition arguments)))

(sb-int:unencapsulate 'swank::debug-in-emacs 'debug-undisturbed)
(sb-int:encapsulate 'swank::debug-in-emacs 'debug-undisturbed #'debug-undisturbed)

;; What steps in a thread that belongs to no evaluation.
(setf (sb-ext:symbol-global-value 'sb-ext:*stepper-hook*) 'on-step)

;;; Breaking on signals

(defun plumbing-signals-p ()
  "True when it was our code or Swank's that signalled."
  (let ((frame (skip-frames (sb-di:top-frame)
                            (lambda (frame)
                              (or (eq (frame-name frame) 'plumbing-signals-p)
                                  (eq (frame-name frame) 'users-signal-p)
                                  (eq (frame-name frame) 'signal)
                                  (eq (frame-name frame) 'error)
                                  (eq (frame-name frame) 'warn)
                                  (eq (frame-name frame) 'cerror)
                                  (eq (frame-name frame) 'typep)
                                  (implementation-frame-p frame))))))
    (or (null frame) (plumbing-frame-p frame))))

(defun users-signal-p (condition)
  (declare (ignore condition))
  (and (users-code-p) (not (plumbing-signals-p))))

(defun break-on-signals (text client)
  "Let the user's code stop when it signals a condition of the type TEXT; nil ends that.

Returns (:ok TYPE), as text, or (:invalid WHY)."
  (if (null text)
      (progn (setf (sb-ext:symbol-global-value '*break-on-signals*) nil) (list :ok nil))
      (or-invalid
        (call-with-client
         client nil
         (lambda ()
           (let ((type (read-from-string text)))
             (cond ((not (ignore-errors (sb-ext:valid-type-specifier-p type)))
                    (list :invalid (format nil "expected a type of conditions such as ERROR, ~
                                                got ~a, which is no type" text)))
                   ((not (or (eq type t) (subtypep type 'condition)))
                    (list :invalid (format nil "expected a type of conditions such as ERROR, ~
                                                got ~a, which conditions never are" text)))
                   (t (setf (sb-ext:symbol-global-value '*break-on-signals*) `(and ,type (satisfies users-signal-p)))
                      (list :ok (prin1-to-string type))))))))))

(defun signals-broken-on ()
  "Return the type that `break-on-signals` was given last, as text; nil when nothing of ours stops there."
  (let ((type (sb-ext:symbol-global-value '*break-on-signals*)))
    (and (consp type)
         (equal (third type) '(satisfies users-signal-p))
         (let ((*package* (find-package "KEYWORD")))
           (prin1-to-string (second type))))))
