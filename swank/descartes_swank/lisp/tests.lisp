;;;; Tests of a system, each run through the interface of its own framework, with one result for each.
;;;;
;;;; A framework is used by names looked up when it is there; none has to be loaded for this file.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(registered-tests run-tests run-test-op)))

(defparameter *tests-version* "2"
  "What a client compares with its own copy of this file; to be changed with every change of an interface.")

(defconstant +longest-message+ 4000)

(defvar *debug-tests* nil "True when a failure stops in the debugger instead of being recorded.")

;;; What frameworks have in common

(defun api (package name)
  "Return the symbol NAME of PACKAGE, nil when this version of the framework does not have it."
  (in-package-named package name))

(defun api-call (package name &rest arguments)
  (apply (fdefinition (or (api package name) (error "~a has no ~a" package name))) arguments))

(defun call-with-api (package bindings function)
  "Call FUNCTION with the variables of PACKAGE bound as in BINDINGS, (NAME VALUE) each, where it has them."
  (let ((known (loop for (name value) in bindings
                     for symbol = (api package name)
                     when (and symbol (boundp symbol)) collect (cons symbol value))))
    (progv (mapcar #'car known) (mapcar #'cdr known) (funcall function))))

(defun message-text (object)
  (let ((text (handler-case (princ-to-string object)
                (error () "a message that cannot be printed"))))
    (subseq text 0 (min (length text) +longest-message+))))

(defun typed-condition-text (condition)
  (message-text (format nil "~s: ~a" (type-of condition) (message-text condition))))

(defun joined (texts)
  (format nil "~{~a~^~3%~}" (remove "" texts :test #'equal)))

(defclass outcome ()
  ((name :initarg :name :reader outcome-name)
   (status :initarg :status :reader outcome-status)
   (message :initarg :message :initform nil :reader outcome-message)
   (milliseconds :initarg :milliseconds :initform nil :accessor outcome-milliseconds))
  (:documentation "What became of the test NAME, a symbol or, in some frameworks, a string."))

(defun outcome (name status &optional message milliseconds)
  (make-instance 'outcome :name name :status status :message message :milliseconds milliseconds))

;;; Fiveam

(defun fiveam-tests ()
  "Return (NAME PACKAGE) of each test."
  (loop for name being the hash-keys of (symbol-value (api "FIVEAM" "*TEST*")) using (hash-value test)
        when (and (typep test (api "FIVEAM" "TEST-CASE")) (symbol-package name))
          collect (list name (symbol-package name))))

(defun run-fiveam-test (name package)
  (declare (ignore package))
  (let* ((action (if *debug-tests* :debug nil))
         (results (call-with-api "FIVEAM"
                                 `(("*ON-ERROR*" ,action)
                                   ("*ON-FAILURE*" ,action)
                                   ("*PRINT-NAMES*" nil)
                                   ("*TEST-DRIBBLE*" ,(make-broadcast-stream)))
                                 (lambda () (api-call "FIVEAM" "RUN" name)))))
    (list (fiveam-outcome name (remove name results :test-not #'eq :key #'fiveam-test-name)))))

(defun fiveam-test-name (result)
  (slot-value (slot-value result (api "FIVEAM" "TEST-CASE")) (api "FIVEAM" "NAME")))

(defun fiveam-outcome (name results)
  (flet ((those (class)
           (reverse (remove-if-not (lambda (result) (typep result (api "FIVEAM" class))) results)))
         (reasons (results)
           (joined (mapcar #'fiveam-reason results))))
    (let ((errors (those "UNEXPECTED-TEST-FAILURE"))
          (failures (those "TEST-FAILURE"))
          (skipped (those "TEST-SKIPPED")))
      (cond (errors (outcome name "error" (reasons failures)))
            (failures (outcome name "failed" (reasons failures)))
            ((and skipped (= (length skipped) (length results)))
             (outcome name "skipped" (reasons skipped)))
            (t (outcome name "passed"))))))

(defun fiveam-reason (result)
  (let ((condition (api "FIVEAM" "ACTUAL-CONDITION")))
    (if (and (typep result (api "FIVEAM" "UNEXPECTED-TEST-FAILURE"))
             (slot-boundp result condition)
             (typep (slot-value result condition) 'condition))
        (typed-condition-text (slot-value result condition))
        (message-text (slot-value result (api "FIVEAM" "REASON"))))))

;;; Parachute

(defun parachute-tests ()
  "Return (NAME PACKAGE) of each test, those that have others below them first."
  (loop for package in (api-call "PARACHUTE" "TEST-PACKAGES")
        append (loop for test in (stable-sort (copy-list (api-call "PARACHUTE" "PACKAGE-TESTS" package))
                                              #'< :key #'parachute-depth)
                     collect (list (api-call "PARACHUTE" "NAME" test) package))))

(defun parachute-depth (test)
  (loop for parent = (api-call "PARACHUTE" "PARENT" test) then (api-call "PARACHUTE" "PARENT" parent)
        while parent count t))

(defun run-parachute-test (name package)
  "Run the test and those below it; all of them have outcomes."
  (let* ((test (api-call "PARACHUTE" "FIND-TEST" name package))
         (report (if *debug-tests*
                     (api-call "PARACHUTE" "TEST" test :report (api "PARACHUTE" "INTERACTIVE"))
                     (api-call "PARACHUTE" "TEST" test :report (api "PARACHUTE" "PLAIN")
                                                       :output (make-broadcast-stream))))
         (results (remove-if-not #'parachute-test-result-p
                                 (coerce (api-call "PARACHUTE" "RESULTS" report) 'list))))
    (loop for result in (stable-sort results #'parachute-before-p
                                     :key (lambda (result) (eq test (parachute-expression result))))
          when (eq package (api-call "PARACHUTE" "HOME" (parachute-expression result)))
            collect (parachute-outcome result))))

(defun parachute-before-p (own other)
  (and own (not other)))

(defun parachute-expression (result)
  (api-call "PARACHUTE" "EXPRESSION" result))

(defun parachute-test-result-p (result)
  (typep result (api "PARACHUTE" "TEST-RESULT")))

(defun parachute-leaves (result)
  "Return the failed checks of the test that RESULT is about, not those of tests below it."
  (loop for each across (api-call "PARACHUTE" "RESULTS" result)
        append (cond ((parachute-test-result-p each) '())
                     ((typep each (api "PARACHUTE" "PARENT-RESULT")) (parachute-leaves each))
                     ((eq :failed (api-call "PARACHUTE" "STATUS" each)) (list each)))))

(defun parachute-condition (result)
  "Return the error that ended the check of RESULT."
  (let* ((slot (api "PARACHUTE" "VALUE"))
         (value (and (slot-exists-p result slot) (slot-boundp result slot) (slot-value result slot))))
    (find-if (lambda (each) (typep each 'error)) (if (consp value) (list (first value)) (list value)))))

(defun parachute-reason (result)
  (let ((condition (parachute-condition result))
        (text (message-text (api-call "PARACHUTE" "FORMAT-RESULT" result :extensive))))
    (if condition
        (format nil "~a~2%~a" (typed-condition-text condition) text)
        text)))

(defun parachute-ending (result)
  "Return what the framework says of the error that ended the whole test of RESULT, nil without one."
  (let ((description (api-call "PARACHUTE" "DESCRIPTION" result))
        (start "The test failed to evaluate properly:"))
    (and (stringp description)
         (eql (length start) (mismatch start description))
         (string-trim '(#\Space #\Newline) (subseq description (length start))))))

(defun parachute-outcome (result)
  (let ((status (api-call "PARACHUTE" "STATUS" result))
        (name (api-call "PARACHUTE" "NAME" (parachute-expression result)))
        (leaves (parachute-leaves result))
        (ending (parachute-ending result))
        (seconds (api-call "PARACHUTE" "DURATION" result)))
    (outcome name
             (case status
               (:passed "passed")
               (:skipped "skipped")
               (t (if (or ending (some #'parachute-condition leaves)) "error" "failed")))
             (and (eq status :failed)
                  (joined (append (mapcar #'parachute-reason leaves)
                                  (cond (ending (list ending))
                                        (leaves '())
                                        (t (list (parachute-reason result)))))))
             (and seconds (round (* 1000 seconds))))))

;;; Rove

(defun rove-tests ()
  "Return (NAME PACKAGE) of each test."
  (loop for suite in (api-call "ROVE" "ALL-SUITES")
        append (loop for name in (api-call "ROVE/CORE/SUITE/PACKAGE" "SUITE-TESTS" suite)
                     collect (list name (api-call "ROVE/CORE/SUITE/PACKAGE" "SUITE-PACKAGE" suite)))))

(defun call-rove-suite (part suite)
  (let ((function (api-call "ROVE/CORE/SUITE/PACKAGE" part suite)))
    (when function (funcall function))))

(defun call-in-rove-suite (package function)
  "Call FUNCTION between the setup and the teardown of the tests of PACKAGE."
  (let ((suite (api-call "ROVE" "FIND-SUITE" (find-package package)))
        (*package* (find-package package)))
    (if suite
        (unwind-protect (progn (call-rove-suite "SUITE-SETUP" suite) (funcall function))
          (call-rove-suite "SUITE-TEARDOWN" suite))
        (funcall function))))

(defun call-rove-hooks (part package)
  (loop for (nil . function) in (reverse (api-call "ROVE/CORE/SUITE/PACKAGE" part
                                                   (api-call "ROVE" "FIND-SUITE" package)))
        do (funcall function)))

(define-condition failed-assertion (serious-condition)
  ((text :initarg :text))
  (:report (lambda (condition stream) (write-string (slot-value condition 'text) stream)))
  (:documentation "Why a thread stopped whose test is debugged, where its framework signals nothing."))

(defun stop-at-rove-failure (assertion)
  "Stop where ASSERTION fails; what erred stops by itself."
  (unless (typep (api-call "ROVE" "ASSERTION-REASON" assertion) 'condition)
    (with-simple-restart (continue "Record the failure and go on with the test.")
      (swank::invoke-slime-debugger (make-condition 'failed-assertion :text (rove-reason assertion))))))

(defun rove-stats-class ()
  "Return the class of what the outcome of a test is collected in; debugged, it stops at a failure."
  (let ((stats (api "ROVE/CORE/STATS" "STATS")))
    (cond ((not *debug-tests*) stats)
          ((find-class 'stopping-stats nil) 'stopping-stats)
          (t (eval `(progn
                      (defclass stopping-stats (,stats) ())
                      (defmethod ,(api "ROVE/CORE/STATS" "RECORD") :after
                          ((stats stopping-stats) (object ,(api "ROVE/CORE/RESULT" "FAILED-ASSERTION")))
                        (stop-at-rove-failure object))))
             'stopping-stats))))

(defun run-rove-test (name package)
  (let ((stats (make-instance (rove-stats-class))))
    (call-with-api "ROVE/CORE/ASSERTION" `(("*DEBUG-ON-ERROR*" ,*debug-tests*))
                   (lambda ()
                     (api-call "ROVE/REPORTER" "INVOKE-REPORTER" stats
                               (lambda ()
                                 (call-rove-hooks "SUITE-BEFORE-HOOKS" package)
                                 (unwind-protect (funcall (api-call "ROVE" "GET-TEST" name))
                                   (call-rove-hooks "SUITE-AFTER-HOOKS" package))))))
    (list (rove-outcome name stats))))

(defun rove-leaves (part object)
  "Return the assertions among what is PART, such as FAILED-TESTS, of OBJECT and all below it."
  (loop for each in (api-call "ROVE" part object)
        append (if (typep each (api "ROVE/CORE/RESULT" "TEST"))
                   (rove-leaves part each)
                   (list each))))

(defun rove-all (part stats)
  "Return the assertions that are PART in STATS; tests that failed as a whole may have passed in part."
  (loop for each in (reverse (api-call "ROVE/CORE/STATS" "STATS-RESULTS" stats))
        append (if (typep each (api "ROVE/CORE/RESULT" "TEST")) (rove-leaves part each) '())))

(defun rove-reason (assertion)
  (let ((reason (api-call "ROVE" "ASSERTION-REASON" assertion))
        (description (message-text (api-call "ROVE" "ASSERTION-DESCRIPTION" assertion))))
    (format nil "~a~%~a" description
            (if (typep reason 'condition)
                (typed-condition-text reason)
                (call-with-api "ROVE/CORE/RESULT" '(("*PRINT-ASSERTION*" t))
                               (lambda () (message-text assertion)))))))

(defun rove-outcome (name stats)
  (let ((failed (rove-all "FAILED-TESTS" stats)))
    (cond (failed
           (outcome name
                    (if (some (lambda (each) (typep (api-call "ROVE" "ASSERTION-REASON" each) 'condition))
                              failed)
                        "error"
                        "failed")
                    (joined (mapcar #'rove-reason failed))))
          ((and (rove-all "PENDING-TESTS" stats) (null (rove-all "PASSED-TESTS" stats)))
           (outcome name "skipped"
                    (joined (mapcar (lambda (each)
                                      (message-text (api-call "ROVE" "ASSERTION-DESCRIPTION" each)))
                                    (rove-all "PENDING-TESTS" stats)))))
          (t (outcome name "passed")))))

;;; All of them

(defparameter *frameworks*
  '(("fiveam" "FIVEAM" fiveam-tests run-fiveam-test nil)
    ("parachute" "PARACHUTE" parachute-tests run-parachute-test nil)
    ("rove" "ROVE" rove-tests run-rove-test call-in-rove-suite))
  "(NAME PACKAGE TESTS RUN SUITE): TESTS lists (NAME PACKAGE); RUN gives outcomes; SUITE calls around them.")

(defun framework (name)
  (or (assoc name *frameworks* :test #'equal) (error "No framework ~a" name)))

(defun loaded-frameworks ()
  (remove-if-not #'find-package *frameworks* :key #'second))

(defun test-key (name)
  (if (symbolp name) (symbol-name name) (princ-to-string name)))

(defun registered-tests (packages)
  "Return (FRAMEWORK PACKAGE NAME) of the tests that the frameworks have in PACKAGES, given by their names."
  (let ((wanted (remove nil (mapcar #'named-package-or-nil packages))))
    (loop for (framework nil tests) in (loaded-frameworks)
          append (loop for (name package) in (funcall tests)
                       when (member package wanted)
                         collect (list framework (package-name package) (test-key name))))))

(defun named-package-or-nil (name)
  (or (find-package name) (find-package (string-upcase name))))

(defun find-registered-test (framework package name)
  "Return the test's own name and its package, nil when the framework does not have it."
  (destructuring-bind (home tests &rest rest) (rest (framework framework))
    (declare (ignore rest))
    (and (find-package home)
         (find-if (lambda (test)
                    (and (string= name (test-key (first test)))
                         (eq (second test) (find-package package))))
                  (funcall tests)))))

;;; Running

(defun call-recording (name function)
  "Return the outcomes that FUNCTION gives; what it does not handle itself is an error of the test NAME."
  (block running
    (restart-case
        (handler-bind ((serious-condition
                         (lambda (condition)
                           (unless (or *debug-tests* (typep condition 'interrupt))
                             (return-from running (list (outcome name "error" (typed-condition-text condition))))))))
          (funcall function))
      (next-test ()
        :report "Leave this test, which counts as failed, and go on with the next one."
        (list (outcome name "error" "It was left in the debugger."))))))

(defun run-test (framework name package)
  "Return the outcomes of the test NAME, those of tests that it ran as well; the first is its own."
  (loop
    (restart-case
        (let* ((began (get-internal-real-time))
               (outcomes (call-recording name (lambda () (funcall (fourth framework) name package)))))
          (unless (outcome-milliseconds (first outcomes))
            (setf (outcome-milliseconds (first outcomes)) (milliseconds-since began)))
          (return outcomes))
      (retry-test ()
        :report "Run this test again from its start."))))

(defun report-outcome (framework package outcome)
  "Tell the client OUTCOME after all that the test has printed."
  (flush-port (evaluation-port *evaluation*))
  (deliver (evaluation-session *evaluation*) :report (evaluation-id *evaluation*)
           (list :framework framework :package package
                 :name (test-key (outcome-name outcome))
                 :status (outcome-status outcome)
                 :message (and (outcome-message outcome) (message-text (outcome-message outcome)))
                 :milliseconds (outcome-milliseconds outcome))))

(defun run-tests-in (framework package names)
  "Run the tests NAMES, strings, of PACKAGE; what one of them ran already is not run again."
  (let ((done '()))
    (dolist (name names)
      (unless (member name done :test #'string=)
        (let ((test (find-registered-test (first framework) package name)))
          (dolist (outcome (if test
                               (run-test framework (first test) (second test))
                               (list (outcome name "error" "The image has no such test."))))
            (let ((key (test-key (outcome-name outcome))))
              (when (and (member key names :test #'string=) (not (member key done :test #'string=)))
                (push key done)
                (report-outcome (first framework) package outcome)))))))))

(defun call-in-suite (framework package function)
  (let ((around (fifth framework)))
    (if around
        (funcall around package function)
        (funcall function))))

(defun run-tests (id client groups debug)
  "Run the tests of GROUPS, (FRAMEWORK PACKAGE NAMES) each, as an evaluation; DEBUG: failures stop."
  (run-evaluation
   id client nil
   (lambda ()
     (let ((*debug-tests* debug))
       (loop for (name package names) in groups
             for framework = (framework name)
             do (call-in-suite framework package
                               (lambda () (run-tests-in framework package names)))))
     (values nil '()))))

;;; Systems whose tests no framework here can run one by one

(defvar *exit-is-result* nil "True in a thread whose request to end the Lisp is the result of its tests.")

(defun exit-of-tests (exit &rest arguments &key code abort &allow-other-keys)
  "Around SB-EXT:EXIT: tests that end the Lisp with a code are told from a person who ends it."
  (if *exit-is-result*
      (throw 'exit-of-tests (or code (if abort 1 0)))
      (apply exit arguments)))

(sb-ext:unlock-package "SB-EXT")
(sb-int:encapsulate 'sb-ext:exit 'descartes #'exit-of-tests)
(sb-ext:lock-package "SB-EXT")

(defun run-system-test (name package)
  (declare (ignore package))
  (let ((code (catch 'exit-of-tests
                (let ((*exit-is-result* t))
                  (with-compiled-files-in-cache (asdf:test-system name))
                  0))))
    (list (if (eql code 0)
              (outcome name "passed" "TEST-OP ended without an error.")
              (outcome name "failed" (format nil "TEST-OP ended the Lisp with code ~a." code))))))

(defun run-test-op (id client name debug)
  "Do ASDF's TEST-OP on the system NAME as an evaluation; its only outcome is the system's."
  (run-evaluation
   id client nil
   (lambda ()
     (let ((*debug-tests* debug))
       (report-outcome "asdf" nil (first (run-test '("asdf" nil nil run-system-test nil) name nil))))
     (values nil '()))))
