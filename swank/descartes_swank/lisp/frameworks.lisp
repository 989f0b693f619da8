;;;; The test frameworks: which tests each has, and running one of them. All is looked up by name when it is
;;;; there; none has to be loaded for this file.

(in-package "DESCARTES-BOOT")

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
        (message-text (or (slot-value result (api "FIVEAM" "REASON"))
                          (slot-value result (api "FIVEAM" "TEST-EXPR")))))))

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

;;; One that ends a test or a part of it is in no result: the reports of our own keep it. They also tell
;;; whose output it is, as a test runs those below it and those that it depends on.

(defvar *parachute-test* nil "The innermost test that runs.")
(defvar *parachute-part* nil "The innermost result of which something runs.")
(defvar *parachute-endings* nil "By result: the error that ended it.")

(defun parachute-report ()
  "Return the class of reports to run tests with."
  (let ((name (if *debug-tests* 'stopping-report 'recording-report)))
    (unless (find-class name nil)
      (eval (parachute-reports)))
    name))

(defun parachute-reports ()
  ;; Theirs come first, so that our methods are called inside of what handles errors.
  (let ((eval-in-context (api "PARACHUTE" "EVAL-IN-CONTEXT")))
    `(progn
       (defclass test-report () ())
       (defclass recording-report (,(api "PARACHUTE" "PLAIN") test-report) ())
       (defclass stopping-report (,(api "PARACHUTE" "INTERACTIVE") test-report) ())
       (defmethod ,eval-in-context :around ((report test-report) (result ,(api "PARACHUTE" "RESULT")))
         (call-keeping-ending result (lambda () (call-next-method))))
       (defmethod ,eval-in-context :around ((report test-report) (result ,(api "PARACHUTE" "TEST-RESULT")))
         (call-telling-whose-output (parachute-expression result) (lambda () (call-next-method)))))))

(defun call-keeping-ending (result function)
  (let ((*parachute-part* result))
    (handler-bind ((error (lambda (condition)
                            (when (eq result *parachute-part*)
                              (take-parachute-error result condition)))))
      (funcall function))))

(defun take-parachute-error (result condition)
  "Take note of CONDITION, unless it is how a debugged failure stops; that a part failed stops no second time."
  (cond ((not (parachute-failed-p result))
         (setf (gethash result *parachute-endings*) condition))
        ((parachute-parent-p result)
         (invoke-restart (find-restart 'abort condition)))))

(defun call-telling-whose-output (test function)
  (flet ((tell (test)
           (report-printed "parachute" (package-name (api-call "PARACHUTE" "HOME" test))
                           (api-call "PARACHUTE" "NAME" test))))
    (when *parachute-test* (tell *parachute-test*))
    (multiple-value-prog1 (let ((*parachute-test* test)) (funcall function))
      (tell test))))

(defun call-without-warnings-of-endings (function)
  "Call FUNCTION; that an error ended a test, of which parachute warns, is said by the test's outcome."
  (handler-bind ((simple-warning
                   (lambda (warning)
                     (when (eql 0 (search "Unhandled error when evaluating"
                                          (princ-to-string (simple-condition-format-control warning))))
                       (muffle-warning warning)))))
    (funcall function)))

(defun parachute-results (test)
  "Run TEST, and return the results of all tests that it ran."
  (let ((report (call-with-api
                 "COMMON-LISP-USER" '(("*EXIT-ON-TEST-FAILURES*" nil))
                 (lambda ()
                   (call-without-warnings-of-endings
                    (lambda ()
                      (apply #'api-call "PARACHUTE" "TEST" test :report (parachute-report)
                             (unless *debug-tests* (list :output (make-broadcast-stream))))))))))
    (remove-if-not #'parachute-test-result-p (coerce (api-call "PARACHUTE" "RESULTS" report) 'list))))

(defun run-parachute-test (name package)
  "Run the test and those below it; all of them have outcomes."
  (let* ((*parachute-test* nil)
         (*parachute-part* nil)
         (*parachute-endings* (make-hash-table :test #'eq))
         (test (api-call "PARACHUTE" "FIND-TEST" name package)))
    (loop for result in (stable-sort (parachute-results test) #'parachute-before-p
                                     :key (lambda (result) (eq test (parachute-expression result))))
          when (eq package (api-call "PARACHUTE" "HOME" (parachute-expression result)))
            collect (parachute-outcome result))))

(defun parachute-before-p (own other)
  (and own (not other)))

(defun parachute-expression (result)
  (api-call "PARACHUTE" "EXPRESSION" result))

(defun parachute-test-result-p (result)
  (typep result (api "PARACHUTE" "TEST-RESULT")))

(defun parachute-failed-p (result)
  (eq :failed (api-call "PARACHUTE" "STATUS" result)))

(defun parachute-parts (result)
  "Return the checks and groups of checks in what RESULT is about, not those of tests below it."
  (loop for each in (remove-duplicates (coerce (api-call "PARACHUTE" "RESULTS" result) 'list))
        unless (parachute-test-result-p each)
          collect each
          and when (parachute-parent-p each)
                append (parachute-parts each)))

(defun parachute-parent-p (result)
  (typep result (api "PARACHUTE" "PARENT-RESULT")))

(defun parachute-ending (result)
  "Return the error that ended what RESULT is about."
  (values (gethash result *parachute-endings*)))

(defun parachute-failures (result)
  "Return the failed checks of the test that RESULT is about, and the parts of it that an error ended."
  (remove-if-not (lambda (each)
                   (and (parachute-failed-p each)
                        (or (parachute-ending each) (not (parachute-parent-p each)))))
                 (parachute-parts result)))

(defun parachute-condition (result)
  "Return the error that ended the check or part of RESULT."
  (let* ((slot (api "PARACHUTE" "VALUE"))
         (value (and (slot-exists-p result slot) (slot-boundp result slot) (slot-value result slot))))
    (or (parachute-ending result)
        (find-if (lambda (each) (typep each 'error)) (if (consp value) (list (first value)) (list value))))))

(defun parachute-reason (result)
  (let ((condition (parachute-condition result)))
    (format nil "~@[~a~%~]~@[~a~]"
            (and condition (typed-condition-text condition))
            (unless (parachute-parent-p result)
              (message-text (api-call "PARACHUTE" "FORMAT-RESULT" result :extensive))))))

(defun parachute-name (test home)
  "Return the name of TEST as it is said in the package HOME."
  (let ((package (api-call "PARACHUTE" "HOME" test))
        (name (test-key (api-call "PARACHUTE" "NAME" test))))
    (string-downcase (if (eq package home) name (format nil "~a::~a" (package-name package) name)))))

(defun parachute-failed-below (result)
  "Return what says which tests directly below the one of RESULT failed, nil when none did."
  (let ((home (api-call "PARACHUTE" "HOME" (parachute-expression result))))
    (loop for each across (api-call "PARACHUTE" "RESULTS" result)
          when (and (parachute-test-result-p each) (parachute-failed-p each))
            collect (parachute-name (parachute-expression each) home) into names
          finally (return (and names (format nil "Failed below it: ~{~a~^, ~}" names))))))

(defun parachute-reasons (result)
  "Return why the test of RESULT failed, one text for each reason."
  (let ((said (api-call "PARACHUTE" "DESCRIPTION" result))
        (documentation (api-call "PARACHUTE" "DESCRIPTION" (parachute-expression result))))
    (remove nil
            (append (mapcar #'parachute-reason (parachute-failures result))
                    (list (cond ((parachute-ending result) (parachute-reason result))
                                ;; Such as the limit of time that it exceeded.
                                ((and (stringp said) (not (eq said documentation))) said))
                          (parachute-failed-below result))))))

(defun parachute-outcome (result)
  (let* ((status (api-call "PARACHUTE" "STATUS" result))
         (name (api-call "PARACHUTE" "NAME" (parachute-expression result)))
         (skipped (parachute-all-skipped-p result))
         (seconds (api-call "PARACHUTE" "DURATION" result)))
    (outcome name
             (case status
               (:passed (if skipped "skipped" "passed"))
               (:skipped "skipped")
               (t (if (some #'parachute-condition (cons result (parachute-failures result)))
                      "error"
                      "failed")))
             (cond ((eq status :failed) (joined (parachute-reasons result)))
                   (skipped (joined (parachute-why-skipped result))))
             (and seconds (round (* 1000 seconds))))))

(defun parachute-skips-p (result)
  "Return whether RESULT is about what is not checked, and counts as skipped."
  (let ((slot (api "PARACHUTE" "CHILD-STATUS")))
    (and slot (slot-exists-p result slot) (eq :skipped (slot-value result slot)))))

(defun parachute-all-skipped-p (result)
  "Return whether all checks of the test of RESULT are skipped; the framework calls such a test passed."
  (labels ((checked-p (each)
             (cond ((parachute-skips-p each) nil)
                   ((parachute-test-result-p each) t)
                   ((parachute-parent-p each)
                    (some #'checked-p (api-call "PARACHUTE" "RESULTS" each)))
                   (t t))))
    (and (some #'parachute-skips-p (parachute-parts result))
         (notany #'checked-p (api-call "PARACHUTE" "RESULTS" result)))))

(defun parachute-why-skipped (result)
  (loop for each in (parachute-parts result)
        for said = (and (parachute-skips-p each) (api-call "PARACHUTE" "DESCRIPTION" each))
        when (stringp said) collect said))

;;; Rove

(defun rove-tests ()
  "Return (NAME PACKAGE) of each test."
  (loop for suite in (api-call "ROVE" "ALL-SUITES")
        append (loop for name in (api-call "ROVE/CORE/SUITE/PACKAGE" "SUITE-TESTS" suite)
                     collect (list name (api-call "ROVE/CORE/SUITE/PACKAGE" "SUITE-PACKAGE" suite)))))

(defun rove-suite-trouble (part suite)
  "Do the PART of SUITE, such as SUITE-SETUP; return what trouble there was with it."
  (let* ((function (and suite (api-call "ROVE/CORE/SUITE/PACKAGE" part suite)))
         (trouble (and function (trouble-of function))))
    (and trouble
         (format nil "~@(~a~) of ~(~a~): ~a" (subseq part (length "SUITE-"))
                 (package-name (api-call "ROVE/CORE/SUITE/PACKAGE" "SUITE-PACKAGE" suite)) trouble))))

(defun call-in-rove-suite (package function)
  "Call FUNCTION between the setup and the teardown of the tests of PACKAGE, in the environment for tests."
  (let* ((*package* (find-package package))
         (suite (api-call "ROVE" "FIND-SUITE" *package*)))
    (call-in-rove-environment
     (lambda ()
       (let ((before (rove-suite-trouble "SUITE-SETUP" suite))
             (after nil))
         (unwind-protect (unless before (funcall function))
           (setf after (rove-suite-trouble "SUITE-TEARDOWN" suite)))
         (or before after))))))

(defun call-in-rove-environment (function)
  "Call FUNCTION with the environment variables that rove gives to tests."
  (let* ((variable (api "ROVE" "*DEFAULT-ENV*"))
         (variables (and variable (boundp variable) (symbol-value variable)))
         (old (loop for (name) in variables collect (cons name (or (uiop:getenv name) "")))))
    (flet ((put (variables)
             (loop for (name . value) in variables do (setf (uiop:getenv name) value))))
      (put variables)
      (unwind-protect (funcall function)
        (put old)))))

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
  (unless (rove-error assertion)
    (with-simple-restart (continue "Record the failure and go on with the test.")
      (swank::invoke-slime-debugger (make-condition 'failed-assertion :text (rove-reason assertion))))))

(defun make-rove-stats ()
  "Return what the outcome of a test is collected in; debugged, it stops at a failure."
  (let ((reporter (api "ROVE/REPORTER" "REPORTER")))
    (if *debug-tests*
        (make-instance (stopping-rove-stats reporter) :stream *standard-output*)
        (make-instance reporter :stream *standard-output*))))

(defun stopping-rove-stats (reporter)
  (unless (find-class 'stopping-stats nil)
    (eval `(progn
             (defclass stopping-stats (,reporter) ())
             (defmethod ,(api "ROVE/CORE/STATS" "RECORD") :after
                 ((stats stopping-stats) (object ,(api "ROVE/CORE/RESULT" "FAILED-ASSERTION")))
               (stop-at-rove-failure object)))))
  'stopping-stats)

(defun run-rove-test (name package)
  (let* ((stats (make-rove-stats))
         ;; As in a whole suite: what a hook checks outside of any test has a place too.
         (context (api-call "ROVE/CORE/STATS" "NEW-CONTEXT" stats (package-name package))))
    (call-with-api "ROVE/CORE/ASSERTION" `(("*DEBUG-ON-ERROR*" ,*debug-tests*))
                   (lambda ()
                     (api-call "ROVE/REPORTER" "INVOKE-REPORTER" stats
                               (lambda ()
                                 (unwind-protect
                                      (progn (call-rove-hooks "SUITE-BEFORE-HOOKS" package)
                                             (funcall (api-call "ROVE" "GET-TEST" name)))
                                   (call-rove-hooks "SUITE-AFTER-HOOKS" package))))))
    (list (rove-outcome name (reverse (api-call "ROVE/CORE/STATS" "STATS-RESULTS" context))))))

(defun rove-test-p (result)
  (typep result (api "ROVE/CORE/RESULT" "TEST")))

(defun rove-parts (result)
  "Return RESULT and all that is below it: assertions, and tests, which `testing` makes as well."
  (cons result
        (when (rove-test-p result)
          (loop for part in '("FAILED-TESTS" "PASSED-TESTS" "PENDING-TESTS")
                append (mapcan #'rove-parts (copy-list (api-call "ROVE" part result)))))))

(defun rove-those (class parts)
  (remove-if-not (lambda (each) (typep each (api "ROVE/CORE/RESULT" class))) parts))

(defun rove-miscounted-p (test)
  "Return whether TEST failed because it ran another number of checks than it planned."
  (and (typep test (api "ROVE/CORE/RESULT" "FAILED-TEST"))
       (null (api-call "ROVE" "FAILED-TESTS" test))))

(defun rove-miscount (test)
  (let ((count (+ (length (api-call "ROVE" "PASSED-TESTS" test))
                  (length (api-call "ROVE" "PENDING-TESTS" test)))))
    (format nil "It ran ~d check~:p, which is not the number that it planned" count)))

(defun rove-description (assertion)
  "Return what ASSERTION expects, after the descriptions of the `testing` forms that it is in."
  (format nil "~{~a › ~}~a"
          ;; The first is the test's own name.
          (remove nil (rest (api-call "ROVE" "ASSERTION-LABELS" assertion)))
          (message-text (api-call "ROVE" "ASSERTION-DESCRIPTION" assertion))))

(defun rove-error (assertion)
  (let ((reason (api-call "ROVE" "ASSERTION-REASON" assertion)))
    (and (typep reason 'condition) reason)))

(defun rove-reason (assertion)
  (format nil "~a~%~a" (rove-description assertion)
          (if (rove-error assertion)
              (typed-condition-text (rove-error assertion))
              (call-with-api "ROVE/CORE/RESULT" '(("*PRINT-ASSERTION*" t))
                             (lambda () (message-text assertion))))))

(defun rove-outcome (name results)
  (let* ((parts (mapcan #'rove-parts results))
         (failed (rove-those "FAILED-ASSERTION" parts))
         (skipped (rove-those "PENDING-ASSERTION" parts))
         (reasons (append (mapcar #'rove-reason failed)
                          (mapcar #'rove-miscount (remove-if-not #'rove-miscounted-p parts)))))
    (cond (reasons
           (outcome name (if (some #'rove-error failed) "error" "failed") (joined reasons)))
          ((and skipped (null (rove-those "PASSED-ASSERTION" parts)))
           (outcome name "skipped" (joined (mapcar #'rove-description skipped))))
          (t (outcome name "passed")))))
