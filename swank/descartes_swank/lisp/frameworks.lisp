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
