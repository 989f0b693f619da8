;;;; Tests of a system, each run through the interface of its own framework, with one result for each.
;;;;
;;;; What each framework does otherwise is in frameworks.lisp.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(registered-tests run-tests run-test-op)))

(defparameter *tests-version* "5"
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
  (let ((*print-pretty* nil))
    (message-text (format nil "~s: ~a" (type-of condition) (message-text condition)))))

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

;;; All of them

(defparameter *frameworks*
  '(("fiveam" "FIVEAM" fiveam-tests run-fiveam-test nil)
    ("parachute" "PARACHUTE" parachute-tests run-parachute-test nil)
    ("rove" "ROVE" rove-tests run-rove-test call-in-rove-suite)
    ("fiasco" "FIASCO" fiasco-tests run-fiasco-test nil))
  "(NAME PACKAGE TESTS RUN SUITE): TESTS lists (NAME PACKAGE); RUN gives outcomes; SUITE calls what it is given
with all that comes before and after the tests of a package, and returns what trouble there was with that.")

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

(defun trouble-of (function)
  "Call FUNCTION; return as text what it did not handle itself, nil when there was nothing."
  (block calling
    (restart-case
        (handler-bind ((serious-condition
                         (lambda (condition)
                           (unless (or *debug-tests* (typep condition 'interrupt))
                             (return-from calling (typed-condition-text condition))))))
          (funcall function)
          nil)
      (next-test ()
        :report "Leave this test, which counts as failed, and go on with the next one."
        "It was left in the debugger."))))

(defun call-recording (name function)
  "Return the outcomes that FUNCTION gives; what it does not handle itself is an error of the test NAME."
  (let* ((outcomes '())
         (trouble (trouble-of (lambda () (setf outcomes (funcall function))))))
    (if trouble
        (list (outcome name "error" trouble))
        outcomes)))

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

(defun report-printed (framework package name)
  "Tell the client that the test NAME has printed all that no outcome or call of this came after yet."
  (flush-port (evaluation-port *evaluation*))
  (deliver (evaluation-session *evaluation*) :report (evaluation-id *evaluation*)
           (list :printed t :framework framework :package package :name (test-key name))))

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
  "Run the tests NAMES, strings, of PACKAGE; what one of them ran already is not run again.
Return the outcomes of the last, which are not reported yet."
  (let ((done '()))
    (flet ((run (name)
             (let ((test (find-registered-test (first framework) package name)))
               (if test
                   (run-test framework (first test) (second test))
                   (list (outcome name "error" "The image has no such test.")))))
           (new-p (outcome)
             (let ((key (test-key (outcome-name outcome))))
               (and (member key names :test #'string=)
                    (not (member key done :test #'string=))
                    (push key done)))))
      (loop for (name . more) on names
            for outcomes = (unless (member name done :test #'string=)
                             (remove-if-not #'new-p (run name)))
            unless more return outcomes
            do (report-outcomes framework package outcomes)))))

(defun report-outcomes (framework package outcomes)
  (dolist (outcome outcomes)
    (report-outcome (first framework) package outcome)))

(defun run-group (framework package names)
  "Run the tests NAMES of PACKAGE in its suite; trouble before them befell all, trouble after them the last."
  (let* ((ran nil)
         (last '())
         (around (fifth framework))
         (run (lambda () (setf last (run-tests-in framework package names) ran t)))
         (trouble (if around (funcall around package run) (progn (funcall run) nil))))
    (report-outcomes framework package
                     (cond ((null trouble) last)
                           (ran (mapcar (lambda (outcome) (troubled outcome trouble)) last))
                           (t (mapcar (lambda (name) (outcome name "error" trouble)) names))))))

(defun troubled (outcome trouble)
  (outcome (outcome-name outcome) "error" (joined (remove nil (list (outcome-message outcome) trouble)))
           (outcome-milliseconds outcome)))

(defun run-tests (id client groups debug)
  "Run the tests of GROUPS, (FRAMEWORK PACKAGE NAMES) each, as an evaluation; DEBUG: failures stop."
  (run-evaluation
   id client nil
   (lambda ()
     (let ((*debug-tests* debug))
       (loop for (name package names) in groups
             do (run-group (framework name) package names)))
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

(defparameter *quiet-frameworks*
  '("cacau" "checkl" "clunit" "clunit2" "confidence" "fiasco" "fiveam" "hu.dwim.stefil" "lift" "lisp-unit"
    "lisp-unit2" "nst" "parachute" "prove" "ptester" "rove" "rt" "sb-rt" "should-test" "stefil" "try" "xlunit")
  "Systems of frameworks that signal nothing when a test fails: that `test-op` ends without an error proves nothing.")

(defun quiet-framework-of (system)
  "Return the name of a quiet framework that the tests of SYSTEM need, nil when they need none."
  (loop for tested in (tested-systems system)
          thereis (loop for needed in (asdf:required-components tested :other-systems t
                                                                       :keep-component 'asdf:system)
                        for name = (asdf:component-name needed)
                          thereis (and (member name *quiet-frameworks* :test #'string=) name))))

(defun regression-tests-failed ()
  "Return the names of the tests that RT, which SBCL has too, knows not to have passed; t when it has none."
  (let ((home (or (find-package "SB-RT") (find-package "REGRESSION-TEST") (find-package "RT"))))
    (if (and home (rest (symbol-value (find-symbol "*ENTRIES*" home))))
        (funcall (find-symbol "PENDING-TESTS" home))
        t)))

(defun ended-without-error (name)
  "Return the outcome of the system NAME, whose tests ended without an error."
  (let* ((framework (quiet-framework-of (asdf:find-system name)))
         (failed (if (member framework '("rt" "sb-rt") :test #'equal) (regression-tests-failed) t)))
    (cond ((null framework) (outcome name "passed" "TEST-OP ended without an error."))
          ((null failed) (outcome name "passed" "All tests of RT passed."))
          ((consp failed)
           (outcome name "failed" (format nil "Failed, or not run: ~{~(~a~)~^, ~}" failed)))
          (t (outcome name "unknown"
                      (format nil "TEST-OP ended without an error, but ~a tells only in its output ~
                                   whether the tests passed." framework))))))

(defun run-system-test (name package)
  (declare (ignore package))
  (let ((code (catch 'exit-of-tests
                (let ((*exit-is-result* t))
                  (with-compiled-files-in-cache (asdf:test-system name))
                  nil))))
    (list (case code
            ((nil) (ended-without-error name))
            (0 (outcome name "passed" "TEST-OP ended the Lisp with code 0, without an error."))
            (t (outcome name "failed" (format nil "TEST-OP ended the Lisp with code ~a." code)))))))

(defun run-test-op (id client name debug)
  "Do ASDF's TEST-OP on the system NAME as an evaluation; its only outcome is the system's."
  (run-evaluation
   id client nil
   (lambda ()
     (let ((*debug-tests* debug))
       (report-outcome "asdf" nil (first (run-test '("asdf" nil nil run-system-test nil) name nil))))
     (values nil '()))))
