;;;; Who calls, reads, sets or expands what: as the compiler recorded it, with exact places, up to a limit.
;;;;
;;;; Swank answers such a question about CAR in seven seconds and 3 MB, because it looks up all 8,000 places;
;;;; here those in files that are there come first, and no more are looked up than are wanted.

(in-package "DESCARTES-SERVICE")

(defun fitting-callers (name)
  (append (sb-introspect:who-calls name)
          ;; A macro has no callers: who uses it has its expansion.
          (and (symbolp name) (macro-function name) (sb-introspect:who-macroexpands name))))

(defun found-callees (name)
  "Return what the compiled code of NAME calls. The image answers this for functions alone."
  (let ((function (and (fboundp name)
                       (not (and (symbolp name) (special-operator-p name)))
                       (or (and (symbolp name) (macro-function name)) (fdefinition name)))))
    (loop for code in (and function
                           (if (typep function 'generic-function)
                               (mapcar #'method-code (sb-mop:generic-function-methods function))
                               (list function)))
          append (ignore-errors (mapcar #'callee-entry (sb-introspect:find-function-callees code))))))

(defun method-code (method)
  (let ((function (sb-mop:method-function method)))
    (or (ignore-errors (sb-pcl::%method-function-fast-function function)) function)))

(defun callee-entry (function)
  (cons (or (sb-kernel:%fun-name (sb-kernel:%fun-fun function)) function)
        (sb-introspect:find-definition-source function)))

(defparameter *cross-references*
  (list (cons "callers" #'fitting-callers)
        (cons "callees" #'found-callees)
        (cons "references" (lambda (name) (and (symbolp name) (sb-introspect:who-references name))))
        (cons "binds" (lambda (name) (and (symbolp name) (sb-introspect:who-binds name))))
        (cons "sets" (lambda (name) (and (symbolp name) (sb-introspect:who-sets name))))
        (cons "macroexpands" (lambda (name) (and (symbolp name) (sb-introspect:who-macroexpands name))))
        (cons "specializes" (lambda (name)
                              (and (symbolp name) (find-class name nil)
                                   (sb-introspect:who-specializes-directly name)))))
  "By kind: what gives the entries (NAME . SOURCE) for a name.")

(defun method-name-p (name)
  (and (consp name)
       (member (first name) '(method sb-pcl::fast-method sb-pcl::slow-method))
       (consp (rest name))))

(defun place-kind (name)
  "Return the row of *DEFINITION-KINDS* that NAME, as the compiler gives it, is of."
  (let ((word (cond ((method-name-p name) :method)
                    ((and (consp name) (eq 'macro-function (first name))) :macro)
                    ((and (consp name) (eq 'compiler-macro-function (first name))) :compiler-macro)
                    ((and (symbolp name) (macro-function name)) :macro)
                    (t :function))))
    (find word *definition-kinds* :key #'first)))

(defun outer-name (name)
  "Return the function in whose text NAME stands: of (FLET G :IN F) that is F, of a method its generic function."
  (loop
    (cond ((method-name-p name) (return (second name)))
          ((atom name) (return name))
          ((member :in name) (setf name (second (member :in name))))
          ((member (first name) '(macro-function compiler-macro-function)) (return (second name)))
          (t (return name)))))

(defun shown-name (name)
  "Return NAME, as the compiler gives it, as a list shows it."
  (if (method-name-p name)
      (let ((signature (cddr name)))
        (format nil "~a ~a" (written (second name))
                (string-downcase (let ((*print-pretty* nil))
                                   (printed (append (butlast signature)
                                                    (let ((specializers (first (last signature))))
                                                      (if (listp specializers) specializers (list specializers))))
                                            300)))))
      (written (let ((outer (outer-name name)))
                 (if (or (symbolp outer) (and (consp outer) (eq 'setf (first outer)))) outer name)))))

(defun own-source-p (source)
  "True when SOURCE is of somebody's files, not of the Lisp's own, which are rarely there."
  (let ((pathname (sb-introspect:definition-source-pathname source)))
    (and (or pathname (getf (sb-introspect:definition-source-plist source) :emacs-filename))
         (not (and pathname (equal "SYS" (ignore-errors (host-namestring pathname))))))))

(defun reference-object (entry)
  (destructuring-bind (name . source) entry
    (let* ((kind (place-kind name))
           (place (ignore-errors (source-place source kind (outer-name name)))))
      (list :object
            "name" (shown-name name)
            "kind" (second kind)
            "file" (and place (place-file place))
            "offset" (and place (place-offset place))
            "snippet" (and place (place-snippet place))))))

(defun same-reference-p (one other)
  (and (equal (car one) (car other))
       (equal (sb-introspect:definition-source-form-path (cdr one))
              (sb-introspect:definition-source-form-path (cdr other)))
       (equal (sb-introspect:definition-source-pathname (cdr one))
              (sb-introspect:definition-source-pathname (cdr other)))))

(defun cut-entries (entries limit)
  "Return up to LIMIT of ENTRIES, those of somebody's own files first, and how many are left out."
  (let* ((own (remove-if-not (lambda (entry) (own-source-p (cdr entry))) entries))
         (own (if (< (length own) 2000) (remove-duplicates own :test #'same-reference-p :from-end t) own))
         (others (remove-if (lambda (entry) (own-source-p (cdr entry))) entries))
         (all (append own others)))
    (values (subseq all 0 (min limit (length all)))
            (max 0 (- (length all) limit)))))

(define-question "references" (request package :slow t)
  (let* ((kind (text-argument request "kind"))
         (finder (or (cdr (assoc kind *cross-references* :test #'string=))
                     (refuse "invalid_params" "expected a kind of ~{~a~^, ~}, got ~a"
                             (mapcar #'car *cross-references*) kind)))
         (*looked-through* '())
         (*files* '()))
    (multiple-value-bind (entries more)
        (cut-entries (funcall finder (needed-name (text-argument request "name") package))
                     (limit-argument request 200))
      (list :object
            "found" (map 'vector #'reference-object entries)
            "more" more))))
