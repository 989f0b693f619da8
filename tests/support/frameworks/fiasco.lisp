;;;; A stand-in for fiasco, without whose system the tests must run: the functions and classes by which its tests
;;;; are run, behaving as those of May 2020 (Debian 12) do; none of its code.

(defpackage #:fiasco
  (:use #:cl)
  (:export #:deftest #:defsuite #:define-test-package #:is #:signals #:finishes #:skip #:find-test
           #:run-package-tests #:*last-test-result* #:*test-result-history* #:*print-test-run-progress*
           #:*debug-on-unexpected-error* #:*debug-on-assertion-failure*))
(defpackage #:fiasco-suites (:use) (:export #:all-tests))

(in-package #:fiasco)
(defvar *tests* (make-hash-table))
(defvar *suites* (make-hash-table))
(defvar *context* nil)
(defvar *last-test-result* nil)
(defvar *test-result-history* '())
(defvar *print-test-run-progress* t)
(defvar *debug-on-unexpected-error* t)
(defvar *debug-on-assertion-failure* t)

(defclass test ()
  ((name :initarg :name :reader name-of) (parent :initarg :parent :reader parent-of)
   (children :initform '() :accessor children-of) (lambda-list :initarg :lambda-list) (body :initarg :body)))
(defclass context ()
  ((test :initarg :test :reader test-of) (self-failures :initform '() :accessor self-failures)
   (self-skipped :initform nil :accessor skipped-p) (children :initform '() :accessor children-contexts-of)))
(define-condition failure (simple-condition) ())
(define-condition failed-assertion (failure) ())
(define-condition missing-condition (failure) ())
(define-condition unexpected-error (failure) ((error :initarg :error :reader error-of)))
(define-condition test-skipped (warning) ())
(defmethod describe-object ((failure failure) stream)
  (apply #'format stream (simple-condition-format-control failure) (simple-condition-format-arguments failure)))

(defun find-test (name) (gethash name *tests*))
(defun failures-of (context)
  (append (self-failures context) (mapcan #'failures-of (copy-list (children-contexts-of context)))))

(defun add-test (name parent lambda-list body)
  (let ((test (make-instance 'test :name name :parent parent :lambda-list lambda-list :body body)))
    (when parent
      (setf (children-of parent) (append (remove name (children-of parent) :key #'name-of) (list test))))
    (setf (gethash name *tests*) test)))

(defun record (failure)
  (push failure (self-failures *context*))
  (unless (typep failure 'unexpected-error)
    (restart-case (error failure)
      (continue () :report "Go on with the test."))))

(defun fail (type control &rest arguments)
  (record (make-condition type :format-control control :format-arguments arguments)))

(defun call-body (function)
  (handler-bind ((failure (lambda (failure)
                            (declare (ignore failure))
                            (unless *debug-on-assertion-failure* (continue))))
                 (serious-condition (lambda (condition)
                                      (record (make-condition 'unexpected-error :error condition))
                                      (unless *debug-on-unexpected-error* (return-from call-body nil)))))
    (restart-case (funcall function)
      (continue () :report "Leave the rest of the test out."))))

(defun call-test (name function)
  (let ((outer *context*)
        (*context* (make-instance 'context :test (find-test name))))
    (when outer (push *context* (children-contexts-of outer)))
    (handler-bind ((test-skipped (lambda (condition)
                                   (setf (skipped-p *context*) t)
                                   (continue condition))))
      (let ((values (multiple-value-list (call-body function))))
        (unless outer
          (push *context* *test-result-history*)
          (setf *last-test-result* *context*))
        (values-list (append values (unless outer (list *context*))))))))

(defmacro deftest (name-and-options lambda-list &body body)
  (destructuring-bind (name &key in) (if (consp name-and-options) name-and-options (list name-and-options))
    `(progn
       (add-test ',name ,(if in `(find-test ',in) '(gethash *package* *suites*)) ',lambda-list ',body)
       (defun ,name ,lambda-list (call-test ',name (lambda () ,@body))))))
(defmacro defsuite (name-and-options &optional lambda-list)
  (let ((name (if (consp name-and-options) (first name-and-options) name-and-options)))
    `(deftest ,name-and-options ,lambda-list
       (dolist (child (children-of (find-test ',name)))
         (funcall (name-of child)))
       (values))))
(add-test 'root-suite nil '() '())
(defsuite (fiasco-suites:all-tests :in root-suite))
(defmacro define-test-package (name &body options)
  (let ((suite (intern (string name) "FIASCO-SUITES")))
    `(progn
       (defpackage ,name ,@options (:use #:fiasco))
       (defsuite (,suite :in fiasco-suites:all-tests))
       (setf (gethash (find-package ',name) *suites*) (find-test ',suite)))))

(defmacro is (form)
  `(unless ,form (fail 'failed-assertion "Expression ~S evaluated to false." ',form)))
(defmacro signals (type &body body)
  `(block signals
     (handler-bind ((,type (lambda (condition) (return-from signals condition)))) ,@body)
     (fail 'missing-condition "~S failed to signal a condition of type ~S" ',body ',type)))
(defmacro finishes (&body body) `(progn ,@body))
(defun skip () (signal 'test-skipped))

(defun run-package-tests (&key (package *package*))
  (let ((*debug-on-assertion-failure* nil) (*debug-on-unexpected-error* nil) (*context* nil))
    (funcall (name-of (gethash (find-package package) *suites*)))
    (null (failures-of *last-test-result*))))
