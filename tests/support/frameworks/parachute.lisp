;;;; A stand-in for parachute, which the distribution has not got: the functions, classes and restarts by which
;;;; its tests are run, behaving as those of version 1.5.0 do; none of its code.

(defpackage #:parachute
  (:use #:cl)
  (:export #:define-test #:is #:true #:false #:skip #:group))
(in-package #:parachute)

(defvar *tests* '())
(defvar *parent* nil)
(defvar *report*)
(defvar *skipping* nil)

(defclass test ()
  ((name :initarg :name :reader name)
   (home :initarg :home :reader home)
   (parent :initarg :parent :reader parent)
   (description :initarg :description :reader description)
   (time-limit :initarg :time-limit :reader time-limit)
   (dependencies :initarg :dependencies :reader dependencies)
   (body :initarg :body :reader body)))

(defclass result ()
  ((expression :initarg :expression :reader expression)
   (status :initform :unknown :accessor status)
   (duration :initform nil :accessor duration)
   (description :initarg :description :initform nil :accessor description)))
(defclass value-result (result)
  ((value :accessor value)
   (body :initarg :body :reader body)
   (passed :initarg :passed :reader passed)))
(defclass parent-result (result)
  ((results :initform (make-array 0 :adjustable t :fill-pointer t) :reader results)))
(defclass group-result (parent-result) ((body :initarg :body :reader body)))
(defclass controlling-result (group-result) ((child-status :initform :skipped)))
(defclass test-result (parent-result) ())
(defclass report (parent-result) ())
(defclass plain (report) ((output :initarg :output)))
(defclass interactive (report) ())

(defun test-packages () (remove-duplicates (mapcar #'home *tests*)))
(defun package-tests (package) (remove package (reverse *tests*) :key #'home :test-not #'eq))
(defun find-test (name package)
  (find-if (lambda (test) (and (eq (home test) package) (string= name (name test)))) *tests*))

(defmacro define-test (name &body body)
  (destructuring-bind (named-parent name) (if (listp name) name (list nil name))
    (let ((options (loop while (keywordp (first body)) collect (pop body) collect (pop body))))
      `(push (make-instance 'test :name ',name :home ,*package* :parent ',(or named-parent (getf options :parent))
                                  :description ',(getf options :description)
                                  :time-limit ',(getf options :time-limit)
                                  :dependencies ',(getf options :depends-on) :body (lambda () ,@body))
             *tests*))))

(defmethod parent :around ((test test))
  (let ((name (call-next-method)))
    (and name (find-test name (home test)))))

(defun format-result (result type)
  (declare (ignore type))
  (format nil "The test form ~(~s~)~%evaluated to ~s." (expression result)
          (if (and (slot-exists-p result 'value) (slot-boundp result 'value)) (value result) :nothing)))

;;; What happens with a result in a report

(defmethod initialize-instance :after ((result result) &key)
  (unless (typep result 'report)
    (vector-push-extend result (results *report*))
    (when *parent* (vector-push-extend result (results *parent*)))))

(defgeneric eval-in-context (context result))

(defmethod eval-in-context :around (context (result result))
  (when (eq :unknown (status result))
    (setf (status result) :tentative)
    (let ((began (get-internal-real-time)))
      (call-next-method)
      (setf (duration result) (/ (- (get-internal-real-time) began) internal-time-units-per-second)))
    (when (eq :tentative (status result)) (setf (status result) :passed))))

(defmethod eval-in-context :around (context (result parent-result))
  (let ((*parent* result)) (call-next-method)))
(defmethod eval-in-context :after (context (result parent-result))
  (when (find :failed (results result) :key #'status) (setf (status result) :failed)))
(defmethod eval-in-context (context (result group-result))
  (funcall (body result)))
(defmethod eval-in-context (context (result controlling-result))
  (let ((*skipping* t)) (funcall (body result))))

(defmethod eval-in-context (context (result value-result))
  (unless *skipping*
    (setf (value result) (funcall (body result)))
    (unless (funcall (passed result) (value result)) (setf (status result) :failed))))

(defun result-of (test)
  (or (find-if (lambda (each) (and (typep each 'test-result) (eq test (expression each)))) (results *report*))
      (make-instance 'test-result :expression test :description (description test))))

(defmethod eval-in-context :around (context (result test-result))
  (let* ((test (expression result))
         (needed (let ((*parent* nil))
                   (mapcar (lambda (name) (result-of (find-test name (home test)))) (dependencies test)))))
    (dolist (each needed) (eval-in-context context each))
    (if (find :passed needed :key #'status :test-not #'eq)
        (setf (status result) :skipped)
        (call-next-method))
    (when (and (time-limit test) (< (time-limit test) (duration result)))
      (setf (status result) :failed
            (description result) (format nil "The limit of ~ds was exceeded." (time-limit test))))))

(defmethod eval-in-context (context (result test-result))
  (let ((test (expression result)))
    (funcall (body test))
    (dolist (each (package-tests (home test)))
      (when (eq test (parent each)) (eval-in-context context (result-of each))))))

(defmethod eval-in-context :around ((report plain) (result result))
  (when (eq :unknown (status result))
    (handler-case (call-next-method)
      (error (condition)
        (warn "Unhandled error when evaluating ~a:~%  ~a" (expression result) condition)
        (setf (status result) :failed
              (description result) (format nil "The test failed to evaluate properly:~%  ~a" condition))))))
(defmethod eval-in-context ((report plain) (result value-result))
  (handler-case (call-next-method)
    (error (condition) (setf (value result) condition (status result) :failed))))

(defmethod eval-in-context :around ((report interactive) (result result))
  (restart-case (call-next-method)
    (abort () :report "Continue, failing." (setf (status result) :failed))
    (pass () :report "Continue, passing." (setf (status result) :passed))))
(defmethod eval-in-context :after ((report interactive) (result result))
  (when (eq :failed (status result))
    (error "Test ~(~a~) failed:~%~a" (expression result) (format-result result :extensive))))

;;; Checks

(defmacro part (class expression &rest arguments)
  `(eval-in-context *report* (make-instance ',class :expression ',expression ,@arguments)))
(defmacro is (comparison expected form)
  `(part value-result (is ,comparison ,expected ,form)
         :body (lambda () ,form) :passed (lambda (value) (,comparison ,expected value))))
(defmacro true (form) `(part value-result (true ,form) :body (lambda () ,form) :passed #'identity))
(defmacro false (form) `(part value-result (false ,form) :body (lambda () ,form) :passed #'not))
(defmacro group ((name) &body body) `(part group-result ,name :body (lambda () ,@body)))
(defmacro skip (why &body body)
  `(part controlling-result :skipped :description ,why :body (lambda () ,@body)))

(defun test (test &key report (output *standard-output*))
  (let* ((*report* (apply #'make-instance report :expression test
                          (when (subtypep report 'plain) (list :output output))))
         (result (result-of test)))
    (eval-in-context *report* result)
    (when (and (boundp 'cl-user::*exit-on-test-failures*) (symbol-value 'cl-user::*exit-on-test-failures*))
      (sb-ext:exit :code (if (eq :failed (status result)) 100 0)))
    *report*))
