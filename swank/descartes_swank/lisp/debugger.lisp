;;;; A stopped thread as a client sees it: its condition, its ways out, and the frames of the user's own.
;;;;
;;;; Every function here is called in the stopped thread and names the stop it means, by its level and its
;;;; number: (:stale) is the answer when the thread is not stopped there any more. Frame numbers are the
;;;; client's, 0 for the innermost frame of the user's; Swank's and our own, at both ends of the stack, have none.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(describe-stop stop-frames frame-detail use-restart evaluate-in-frame frame-values
            leave-frame call-frame-again leave-all)))

(defvar *stop-numbers* (make-hash-table :test 'eq :weakness :key :synchronized t)
  "The number of each stop, by its list of restarts, which no other stop has.")
(defvar *stop-count* (list 0))

(defun stop-number ()
  "Return the number of the stop that this thread is at; the next one at the same level has another."
  (or (gethash swank::*sldb-restarts* *stop-numbers*)
      (setf (gethash swank::*sldb-restarts* *stop-numbers*) (sb-ext:atomic-incf (car *stop-count*)))))

(defun stopped-at-p (level)
  "True when this thread is stopped at LEVEL, a level or (LEVEL NUMBER)."
  (destructuring-bind (level &optional number) (if (consp level) level (list level))
    (and swank::*swank-debugger-condition*
         (= level swank::*sldb-level*)
         (or (null number) (= number (stop-number))))))

(defmacro at-level ((level) &body body)
  `(if (stopped-at-p ,level)
       (progn ,@body)
       (list :stale)))

;;; Which frames are the user's

(defparameter *plumbing-packages*
  '("SWANK" "SWANK/BACKEND" "SWANK/SBCL" "SWANK/GRAY" "SWANK-REPL" "DESCARTES-BOOT"))

(defconstant +frames-counted+ 20000 "Deeper stacks are reported as this deep: counting takes time.")

(defun plain-symbol-p (object)
  (and object (symbolp object)))

(defun frame-name (frame)
  (let ((name (sb-di:debug-fun-name (sb-di:frame-debug-fun frame))))
    ;; (FLET NAME :IN OWNER) belongs to its owner, and so on.
    (loop while (and (consp name) (typep (second (member :in name)) '(or cons (and symbol (not null)))))
          do (setf name (second (member :in name))))
    (if (consp name) (or (find-if #'plain-symbol-p (rest name)) (first name)) name)))

(defun frame-from-p (frame packages)
  (let ((name (frame-name frame)))
    (and (symbolp name)
         (symbol-package name)
         (member (package-name (symbol-package name)) packages :test #'string=)
         t)))

(defun plumbing-frame-p (frame)
  (frame-from-p frame *plumbing-packages*))

(defun implementation-frame-p (frame)
  "True for a frame of SBCL's inside, which has no name in the language."
  (let ((name (frame-name frame)))
    (or (stringp name)                  ; "foreign function: call_into_lisp"
        (and (symbolp name)
             (symbol-package name)
             (eql 0 (search "SB-" (package-name (symbol-package name))))))))

(defun skip-frames (frame test)
  "Return the first frame from FRAME down for which TEST is false, and how many there are before it."
  (loop for count from 0
        while (and frame (funcall test frame))
        do (setf frame (sb-di:frame-down frame))
        finally (return (values frame count))))

(defun skip-plumbing (frame)
  "Leave out Swank's and our frames at FRAME; when there are some, what interrupted the user's code too."
  (multiple-value-bind (next plumbing) (skip-frames frame #'plumbing-frame-p)
    (if (zerop plumbing)
        (values next 0)
        (multiple-value-bind (next more)
            (skip-frames next (lambda (frame)
                                (or (plumbing-frame-p frame) (implementation-frame-p frame))))
          (values next (+ plumbing more))))))

(defun first-user-frame ()
  "Return the innermost frame of the user's and its number in Swank."
  (multiple-value-bind (next plumbing) (skip-plumbing swank/sbcl::*sldb-stack-top*)
    (multiple-value-bind (inner more) (skip-frames next #'implementation-frame-p)
      ;; A stop right inside the compiler has nothing but frames of SBCL's to show.
      (if (or (null inner) (end-of-user-frames-p inner))
          (values next plumbing)
          (values inner (+ plumbing more))))))

(defun end-of-user-frames-p (frame)
  "True for what lies below a user's code: Swank, our own, or the start of a thread."
  (or (plumbing-frame-p frame)
      (and (frame-from-p frame '("SB-THREAD" "SB-IMPL"))
           (member (symbol-name (frame-name frame)) '("RUN" "NEW-LISP-THREAD-TRAMPOLINE" "TOPLEVEL-INIT")
                   :test #'string=))))

(defun evaluator-frame-p (frame)
  "True for a frame of the evaluator itself, whose argument is the form that its caller evaluates."
  (member (frame-name frame) '(eval sb-int:simple-eval-in-lexenv sb-impl::%simple-eval
                               sb-ext:eval-tlf sb-impl::simple-eval-progn-body)
          :test #'eq))

(defun breakpoint-frame-p (frame)
  "True for a frame that stands between a function with a breakpoint and its caller."
  (member (frame-name frame) '(call-through-breakpoint sb-impl::encapsulation) :test #'eq))

(defun user-frames ()
  "Return the frames of the user's, the innermost first, each with its number in Swank: (FRAME . NUMBER).

The frames that evaluate what the client asked for are left out at the end, unless there are no others."
  (multiple-value-bind (first skipped) (first-user-frame)
    (let ((frames '())
          (rest nil))
      (loop for frame = first then (sb-di:frame-down frame)
            for number from skipped
            repeat +frames-counted+
            while (and frame (or (breakpoint-frame-p frame) (not (end-of-user-frames-p frame))))
            unless (breakpoint-frame-p frame)
              do (push (cons frame number) frames)
            finally (setf rest frame))
      (when (and rest (plumbing-frame-p rest))
        (loop while (and (rest frames) (evaluator-frame-p (car (first frames))))
              do (pop frames)))
      (nreverse frames))))

(defun user-frame (index)
  "Return the user's frame INDEX and its number in Swank; nil when there are fewer."
  (let ((found (nth index (user-frames))))
    (values (car found) (cdr found))))

(defun swank-index (index)
  (or (nth-value 1 (user-frame index))
      (error "there is no frame ~d here" index)))

;;; Describing

(defun frame-location (swank-index)
  (handler-case
      (let ((function (breakpoint-function-at (swank/sbcl::nth-frame swank-index))))
        (if function
            (function-location function)
            (swank/backend:frame-source-location swank-index)))
    (serious-condition () nil)))

(defun frame-text (frame)
  (swank::frame-to-string frame))

(defun frame-entry (frame index swank-index deadline)
  "Return (INDEX TEXT RESTARTABLE LOCATION); after DEADLINE no location is looked for, if there is one."
  (list index
        (frame-text frame)
        (and (swank/backend:frame-restartable-p frame) t)
        (and (or (null deadline) (< (get-internal-real-time) deadline))
             (frame-location swank-index))))

(defconstant +frames-always-located+ 3 "The innermost ones: there the stop is shown, however busy the machine.")

(defun frame-entries (start end budget)
  "Return the entries of frames START to END; BUDGET is how many seconds may go into finding locations."
  (let* ((frames (user-frames))
         (count (length frames))
         (deadline (+ (get-internal-real-time) (* budget internal-time-units-per-second))))
    (values (loop for (frame . number) in (nthcdr start frames)
                  for index from start below (min end count)
                  collect (frame-entry frame index number
                                       (and (>= index (+ start +frames-always-located+)) deadline)))
            count)))

(defun restart-report (restart)
  (values (call-with-bounded-printer
           4000
           (lambda (stream)
             (handler-case (princ restart stream)
               (serious-condition () (write-string "(its description cannot be printed)" stream)))))))

(defun restart-entry (restart index)
  "Return (INDEX NAME DESCRIPTION LAMBDA-LIST INTERACTIVE)."
  (list index
        (princ-to-string (restart-name restart))
        (restart-report restart)
        (mapcar #'princ-to-string
                (ignore-errors (sb-kernel:%fun-lambda-list (sb-kernel::restart-function restart))))
        (and (sb-kernel::restart-interactive-function restart) t)))

(defun users-restarts ()
  "Return the restarts up to the one that ends the evaluation; those behind it are Swank's own."
  (let ((last (and *evaluation* (position swank::*sldb-quit-restart* swank::*sldb-restarts*))))
    (subseq swank::*sldb-restarts* 0 (and last (1+ last)))))

(defun condition-entry (condition)
  "Return (TYPE MESSAGE REFERENCES)."
  (list (typecase condition
          (interrupt "interrupt")
          (breakpoint-reached "breakpoint")
          (stepped "step")
          (t (prin1-to-string (type-of condition))))
        (condition-text condition)
        (getf (apply #'append (ignore-errors (swank/backend:condition-extras condition))) :references)))

(defun describe-stop (level count)
  "Return what a client shows of this stop, with its first COUNT frames."
  (at-level (level)
    (multiple-value-bind (frames frame-count) (frame-entries 0 count 1/50)
      (list :ok
            (condition-entry swank::*swank-debugger-condition*)
            (loop for restart in (users-restarts)
                  for index from 0
                  collect (restart-entry restart index))
            frames
            frame-count
            (and *evaluation* (evaluation-id *evaluation*))
            (and *evaluation* (evaluation-client *evaluation*))
            (package-name *package*)
            (stepping-entry swank::*swank-debugger-condition*)
            (breakpoint-entry swank::*swank-debugger-condition*)
            (stop-number)))))

(defun stop-frames (level start end)
  (at-level (level)
    (list :ok (values (frame-entries start end 1)))))

(defun compilers-name-p (name)
  "True for the name of a variable that no source can name: the compiler's, or one that a macro made up."
  (or (eql 0 (search "SB-" name))
      (eql 0 (search "#:" name))
      (eql 0 (search "DESCARTES-BOOT:" name))))

(defun frame-variables (swank-index)
  "Return (NAME VALUE PLACE) of each variable of a frame, and how many of them a source can name: the first ones.
PLACE is Swank's number of it; ours is its position here."
  (let ((variables (loop for local in (swank::frame-locals-for-emacs swank-index)
                         for place from 0
                         collect (list (getf local :name) (getf local :value) place))))
    (flet ((hidden-p (variable) (compilers-name-p (first variable))))
      (let ((named (remove-if #'hidden-p variables)))
        (values (append named (remove-if-not #'hidden-p variables)) (length named))))))

(defun numbered-variables (swank-index all)
  "Return (NAME VALUE NUMBER) of the variables of a frame, ALL or those that a source can name."
  (multiple-value-bind (variables named) (frame-variables swank-index)
    (loop for (name value) in variables
          for number from 0 below (if all (length variables) named)
          collect (list name value number))))

(defun frame-detail (level index &optional all)
  "Return the variables, catch tags, location and package of the frame INDEX."
  (at-level (level)
    (let ((index (swank-index index)))
      (or-invalid
        (list :ok
              (numbered-variables index all)
              (mapcar #'swank::to-string (swank/backend:frame-catch-tags index))
              (frame-location index)
              (package-name (frame-reading-package index)))))))

;;; Doing

(defun frame-reading-package (swank-index)
  "Return the package to read in at a frame: its function's, unless that is the Lisp's own."
  (let ((package (ignore-errors (swank/backend:frame-package swank-index))))
    (if (and package (not (sb-ext:package-locked-p package)))
        package
        *package*)))

(defun read-in-frame (text swank-index)
  "Read all forms of TEXT as one."
  (let ((*package* (frame-reading-package swank-index)))
    (with-input-from-string (in text)
      (let ((forms (loop for form = (read in nil in) until (eq form in) collect form)))
        (if (rest forms) (cons 'progn forms) (first forms))))))

(defun values-in-frame (text swank-index)
  (multiple-value-list
   (swank/backend:eval-in-frame (read-in-frame text swank-index) swank-index)))

(defun value-in-frame (text swank-index)
  (first (values-in-frame text swank-index)))

(defun argument-values (texts swank-index)
  "Return (:values . VALUES) of TEXTS in a frame, or (:invalid WHY) when one of them errs."
  (or-invalid (cons :values (loop for text in texts collect (value-in-frame text swank-index)))))

(defun call-with-values (arguments function)
  "Call FUNCTION with ARGUMENTS, (:values . VALUES); what else they are is the answer."
  (if (eq (first arguments) :values)
      (apply function (rest arguments))
      arguments))

(defun interactive-arguments (restart)
  "Return (:values . ARGUMENTS) as RESTART asks for them, or (:cancelled) when the question is given up."
  (restart-case (cons :values (funcall (sb-kernel::restart-interactive-function restart)))
    (abort ()
      :report "Do not use this restart."
      (list :cancelled))))

(defun use-restart (level index texts frame)
  "Invoke restart INDEX with the values of TEXTS in FRAME; (:interactive) asks for them instead."
  (at-level (level)
    (let ((restart (nth index swank::*sldb-restarts*)))
      (flet ((use (&rest arguments)
               (stop-stepping)
               (apply #'invoke-restart restart arguments)
               (list :ok)))
        (cond ((null restart) (list :invalid (format nil "there is no restart ~d here" index)))
              ((equal texts '(:interactive)) (call-with-values (interactive-arguments restart) #'use))
              (t (call-with-values (argument-values texts (swank-index frame)) #'use)))))))

(defun leave-all (level)
  "Leave all levels of this thread, which ends its evaluation."
  (at-level (level)
    (stop-stepping)
    (swank:throw-to-toplevel)
    (list :ok)))

(defun frame-values (level index text)
  "Return (:ok VALUES) of TEXT in the frame INDEX, or why there are none."
  (at-level (level)
    (or-invalid
      (let ((values (values-in-frame text (swank-index index))))
        (list :ok (printed-values values))))))

(defun evaluate-in-frame (level index id client text)
  "Run TEXT in the frame INDEX as the evaluation ID: when it errs, that is a nested stop."
  (at-level (level)
    (let ((swank-index (swank-index index)))
      (run-evaluation id client (package-name *package*)
                      (lambda ()
                        (let ((form (read-in-frame text swank-index)))
                          (values nil
                                  (multiple-value-list (swank/backend:eval-in-frame form swank-index))
                                  form))))
      (list :ok))))

(defun restartable-frame (index)
  (let ((frame (user-frame index)))
    (and frame (swank/backend:frame-restartable-p frame) frame)))

(defun not-restartable (index)
  (list :invalid (format nil "frame ~d was compiled so that it cannot be left or called again; ~
                              use a restart such as RETRY, or recompile it with full debug for the ~
                              next time" index)))

(defun leave-frame (level index text)
  "Return the values of TEXT, evaluated in the frame INDEX, from that frame."
  (at-level (level)
    (let ((frame (restartable-frame index)))
      (if (null frame)
          (not-restartable index)
          (call-with-values
           (or-invalid (cons :values (values-in-frame text (swank-index index))))
           (lambda (&rest values)
             (stop-stepping)
             (sb-debug:unwind-to-frame-and-call frame (lambda () (values-list values)))))))))

(defun frame-function-and-arguments (frame)
  "Return what FRAME called: the function as it is defined now, so that a corrected one is used."
  (multiple-value-bind (name arguments) (sb-debug::frame-call frame)
    ;; A method is called through its generic function, which finds the corrected one.
    (when (and (consp name) (member (first name) '(:method sb-pcl::fast-method sb-pcl::slow-method)))
      (setf name (second name)))
    (if (and (sb-int:legal-fun-name-p name) (fboundp name))
        (values (fdefinition name) arguments)
        (values (sb-di:debug-fun-fun (sb-di:frame-debug-fun frame))
                (sb-debug::frame-args-as-list frame)))))

(defun call-frame-again (level index texts)
  "Call the function of the frame INDEX again: with the values of TEXTS, or as before when they are :same."
  (at-level (level)
    (let ((frame (restartable-frame index)))
      (if (null frame)
          (not-restartable index)
          (multiple-value-bind (function arguments) (frame-function-and-arguments frame)
            (flet ((again (&rest arguments)
                     (stop-stepping)
                     (sb-debug:unwind-to-frame-and-call
                      frame
                      (lambda ()
                        (declare (optimize (debug 0)))
                        (apply function arguments)))))
              (cond ((not (functionp function)) (not-restartable index))
                    ((eq texts :same) (apply #'again arguments))
                    (t (call-with-values (argument-values texts (swank-index index)) #'again)))))))))
