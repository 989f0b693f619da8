;;;; Fiasco, as frameworks.lisp has the others. A test of it is a function that keeps what became of its last
;;;; call in a context; a suite is a test that calls those below it, which are run one by one here.

(in-package "DESCARTES-BOOT")

(defun fiasco-slot (name test)
  (slot-value test (api "FIASCO" name)))

(defun fiasco-suite-p (test)
  (let ((body (fiasco-slot "BODY" test)))
    (or (null (fiasco-slot "PARENT" test))
        (and (equal (rest body) '((values)))
             (mentions-p (api "FIASCO" "CHILDREN-OF") (first body))))))

(defun fiasco-tests ()
  "Return (NAME PACKAGE) of each test that is no suite."
  (loop for test being the hash-values of (symbol-value (api "FIASCO" "*TESTS*"))
        for name = (fiasco-slot "NAME" test)
        unless (or (null (symbol-package name)) (fiasco-suite-p test))
          collect (list name (symbol-package name))))

(defun fiasco-needs-arguments-p (name)
  "True for a test that others call, with arguments; fiasco's own suites leave it out."
  (let ((first (first (fiasco-slot "LAMBDA-LIST" (api-call "FIASCO" "FIND-TEST" name)))))
    (and first (not (member first '(&optional &rest &key))))))

(defun run-fiasco-test (name package)
  (declare (ignore package))
  (list (if (fiasco-needs-arguments-p name)
            (outcome name "skipped" "It needs arguments: the tests that call it run it")
            (call-with-api "FIASCO"
                           `(("*CONTEXT*" nil)
                             ("*LAST-TEST-RESULT*" nil)
                             ("*TEST-RESULT-HISTORY*" nil)
                             ("*PRINT-TEST-RUN-PROGRESS*" nil)
                             ("*DEBUG-ON-ASSERTION-FAILURE*" ,*debug-tests*)
                             ("*DEBUG-ON-UNEXPECTED-ERROR*" ,*debug-tests*))
                           (lambda ()
                             (funcall name)
                             (fiasco-outcome name (symbol-value (api "FIASCO" "*LAST-TEST-RESULT*"))))))))

(defun fiasco-outcome (name context)
  "Return the outcome of the test NAME, whose CONTEXT also has what failed in tests that it called."
  (let ((failures (reverse (api-call "FIASCO" "FAILURES-OF" context))))
    (cond (failures
           (outcome name (if (some #'fiasco-error failures) "error" "failed")
                    (joined (mapcar #'fiasco-reason failures))))
          ((fiasco-slot "SELF-SKIPPED" context) (outcome name "skipped"))
          (t (outcome name "passed")))))

(defun fiasco-error (failure)
  "Return the error that FAILURE is about, nil when a check failed."
  (and (typep failure (api "FIASCO" "UNEXPECTED-ERROR"))
       (fiasco-slot "ERROR" failure)))

(defun fiasco-reason (failure)
  (if (fiasco-error failure)
      (typed-condition-text (fiasco-error failure))
      (message-text (with-output-to-string (stream) (describe-object failure stream)))))
