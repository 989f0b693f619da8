;;;; A stand-in for rove, which the distribution has not got: the functions and classes by which its tests are
;;;; run, behaving as those of version 0.10.0 do; none of its code.

(defpackage #:rove/core/result
  (:use #:cl)
  (:export #:test #:failed-assertion #:passed-assertion #:pending-assertion #:assertion-reason
           #:assertion-description #:failed-tests #:passed-tests #:pending-tests #:*print-assertion*))
(defpackage #:rove/core/stats
  (:use #:cl #:rove/core/result)
  (:export #:*stats* #:stats #:stats-results #:record))
(defpackage #:rove/core/assertion (:use #:cl) (:export #:*debug-on-error*))
(defpackage #:rove/core/suite/package
  (:use #:cl)
  (:export #:all-suites #:find-suite #:suite-tests #:suite-setup #:suite-teardown #:suite-before-hooks
           #:suite-after-hooks #:get-test))
(defpackage #:rove/reporter (:use #:cl) (:export #:invoke-reporter))
(defpackage #:rove
  (:use #:cl #:rove/core/result #:rove/core/stats #:rove/core/assertion #:rove/core/suite/package)
  (:export #:deftest #:ok #:testing #:skip #:setup #:teardown #:defhook #:all-suites #:find-suite #:get-test
           #:assertion-reason #:assertion-description #:failed-tests #:passed-tests #:pending-tests))

(in-package #:rove/core/result)
(defvar *print-assertion* nil)
(defclass assertion ()
  ((form :initarg :form) (reason :initarg :reason :initform nil :reader assertion-reason)
   (desc :initarg :desc :initform nil)))
(defclass passed-assertion (assertion) ())
(defclass failed-assertion (assertion) ())
(defclass pending-assertion (assertion) ())
(defmethod print-object ((object assertion) stream)
  (if *print-assertion* (prin1 (slot-value object 'form) stream) (call-next-method)))
(defun assertion-description (assertion)
  (or (slot-value assertion 'desc) (format nil "Expect ~s to be true." (slot-value assertion 'form))))
(defclass test ()
  ((passed :initform '() :accessor passed-tests) (failed :initform '() :accessor failed-tests)
   (pending :initform '() :accessor pending-tests)))

(in-package #:rove/core/stats)
(defvar *stats* nil)
(defclass stats ()
  ((results :initform '() :accessor stats-results) (contexts :initform '() :accessor contexts)))
(defgeneric record (stats object)
  (:method ((stats stats) object)
    (let ((context (first (contexts stats))))
      (etypecase object
        (passed-assertion (push object (passed-tests context)))
        (failed-assertion (push object (failed-tests context)))
        (pending-assertion (push object (pending-tests context)))
        (test (cond ((null context) (push object (stats-results stats)))
                    ((failed-tests object) (push object (failed-tests context)))
                    (t (push object (passed-tests context)))))))))

(in-package #:rove/core/assertion)
(defvar *debug-on-error* nil)

(in-package #:rove/core/suite/package)
(defvar *suites* (make-hash-table))
(defclass suite ()
  ((package :initarg :package :reader suite-package) (tests :initform '() :accessor suite-tests)
   (setup :initform nil :accessor suite-setup) (teardown :initform nil :accessor suite-teardown)
   (before :initform '() :accessor suite-before-hooks) (after :initform '() :accessor suite-after-hooks)))
(defun all-suites () (loop for suite being the hash-values of *suites* collect suite))
(defun find-suite (package) (gethash package *suites*))
(defun package-suite (package)
  (or (find-suite package) (setf (gethash package *suites*) (make-instance 'suite :package package))))
(defun get-test (name) (get name 'test))
(defun set-test (name function)
  (let ((suite (package-suite *package*)))
    (setf (suite-tests suite) (append (remove name (suite-tests suite)) (list name))
          (get name 'test) function)))

(in-package #:rove/reporter)
(defun invoke-reporter (reporter function)
  (let ((rove/core/stats:*stats* reporter)) (funcall function)))

(in-package #:rove)
(defun call-testing (function)
  (let ((test (make-instance 'test)))
    (push test (rove/core/stats::contexts *stats*))
    (block nil
      (handler-bind ((error (lambda (condition)
                              (unless *debug-on-error*
                                (record *stats* (make-instance 'failed-assertion
                                                               :form t :reason condition
                                                               :desc "Raise an error while testing."))
                                (return)))))
        (funcall function)))
    (pop (rove/core/stats::contexts *stats*))
    (record *stats* test)))
(defmacro deftest (name &body body)
  `(rove/core/suite/package::set-test ',name (lambda () (call-testing (lambda () ,@body)))))
(defmacro testing (description &body body)
  (declare (ignore description))
  `(call-testing (lambda () ,@body)))
(defmacro ok (form &optional description)
  `(block ok
     (handler-bind ((error (lambda (condition)
                             (record *stats* (make-instance 'failed-assertion :form ',form :reason condition
                                                                              :desc ,description))
                             (unless *debug-on-error* (return-from ok nil)))))
       (record *stats* (make-instance (if ,form 'passed-assertion 'failed-assertion)
                                      :form ',form :desc ,description)))))
(defun skip (description)
  (record *stats* (make-instance 'pending-assertion :form t :desc description)))
(defmacro setup (&body body)
  `(setf (suite-setup (rove/core/suite/package::package-suite *package*)) (lambda () ,@body)))
(defmacro teardown (&body body)
  `(setf (suite-teardown (rove/core/suite/package::package-suite *package*)) (lambda () ,@body)))
(defmacro defhook (mode &body body)
  (declare (ignore mode))
  `(push (cons nil (lambda () ,@body))
         (suite-before-hooks (rove/core/suite/package::package-suite *package*))))
