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

(defun method-signature (name source)
  "Return qualifiers and specializers of the method that NAME and SOURCE tell of."
  (let ((signature (cddr name)))
    (if (and signature (listp (first (last signature))))
        (append (butlast signature) (first (last signature)))
        (sb-introspect::definition-source-description source))))

(defun shown-name (name source)
  "Return NAME, as the compiler gives it, as a list shows it: `draw (:around circle)` for a method."
  (if (method-name-p name)
      (format nil "~a ~a" (written (second name))
              (let ((*print-pretty* nil))
                (string-downcase (printed (or (method-signature name source) '(t)) 300))))
      (let ((outer (outer-name name)))
        (written (if (or (symbolp outer) (and (consp outer) (eq 'setf (first outer)))) outer name)))))

(defun source-file (source)
  "Return the file that SOURCE names, as text, or NIL when it is the Lisp's own, which is rarely there."
  (let ((pathname (sb-introspect:definition-source-pathname source)))
    (or (getf (sb-introspect:definition-source-plist source) :emacs-filename)
        (and pathname
             (not (equal "SYS" (ignore-errors (host-namestring pathname))))
             (ignore-errors (sb-ext:native-namestring pathname))))))

(defun nearness (source root)
  "Return 0 for a SOURCE below the folder ROOT, 1 for any other file of somebody, 2 for the Lisp's own."
  (let ((file (source-file source)))
    (cond ((null file) 2)
          ((and root (starts-at-p root file 0)) 0)
          (t 1))))

(defun reference-object (entry)
  (destructuring-bind (name . source) entry
    (let* ((kind (place-kind name))
           (place (ignore-errors (source-place source kind (outer-name name)))))
      (list :object
            "name" (shown-name name source)
            "kind" (second kind)
            "file" (and place (place-file place))
            "offset" (and place (place-offset place))
            "snippet" (and place (place-snippet place))))))

(defun without-repetitions (entries)
  (let ((seen (make-hash-table :test #'equal)))
    (remove-if (lambda (entry)
                 (let ((key (list (car entry)
                                  (sb-introspect:definition-source-form-path (cdr entry))
                                  (source-file (cdr entry))
                                  (sb-introspect::definition-source-description (cdr entry)))))
                   (shiftf (gethash key seen) t)))
               entries)))

(defun cut-entries (entries limit root)
  "Return up to LIMIT of ENTRIES, the nearest to ROOT first, and how many are left out."
  (let ((all (stable-sort (without-repetitions entries) #'<
                          :key (lambda (entry) (nearness (cdr entry) root)))))
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
                     (limit-argument request 200)
                     (entry request "root"))
      (list :object
            "found" (map 'vector #'reference-object entries)
            "more" more))))

;;; Classes, up and down

(defun class-part (class part)
  "Return what the class object CLASS has in its slot PART; no method of anybody is called for it."
  (let ((slot (find part (sb-mop:class-slots (class-of class)) :key #'sb-mop:slot-definition-name)))
    (and slot (sb-mop:standard-instance-access class (sb-mop:slot-definition-location slot)))))

(defun classes-below (class)
  "Return the classes that inherit from CLASS, the nearer first."
  (let ((found '())
        (seen (make-hash-table :test #'eq))
        (level (list class)))
    (loop while level
          do (setf level (loop for each in level
                               append (loop for below in (class-part each 'sb-pcl::direct-subclasses)
                                            unless (shiftf (gethash below seen) t)
                                              collect below)))
             (setf found (revappend level found)))
    (nreverse found)))

(defparameter *class-relations*
  (list (cons "self" #'list)
        (cons "supertypes" (lambda (class) (class-part class 'sb-pcl::direct-superclasses)))
        (cons "subtypes" (lambda (class) (class-part class 'sb-pcl::direct-subclasses)))
        (cons "descendants" #'classes-below)))

(defun class-kind (symbol)
  "Return the row of *DEFINITION-KINDS* that the class SYMBOL is of."
  (let ((kinds (kinds symbol)))
    (find-if (lambda (row) (find (second row) kinds :test #'string=))
             (remove-if-not (lambda (row) (member (first row) '(:class :structure :condition)))
                            *definition-kinds*))))

(defun class-entry (class)
  "Return the name of CLASS, its kind and its source; NIL when nothing leads to it by a name."
  (let* ((name (class-part class 'sb-pcl::name))
         (kind (and name (symbolp name) (eq class (find-class name nil)) (class-kind name)))
         (source (and kind (first (definition-sources name kind)))))
    (and kind (list name kind source))))

(defun class-object (entry)
  (destructuring-bind (name kind source) entry
    (let ((place (and source (ignore-errors (source-place source kind name)))))
      (list :object
            "name" (short-name name)
            "package" (let ((home (symbol-package name))) (and home (package-name home)))
            "kind" (second kind)
            "file" (and place (place-file place))
            "offset" (and place (place-offset place))
            "snippet" (and place (place-snippet place))))))

(defun class-nearness (entry root)
  (if (third entry) (nearness (third entry) root) 3))

(define-question "classes" (request package :slow t)
  (let* ((relation (text-argument request "relation"))
         (related (or (cdr (assoc relation *class-relations* :test #'string=))
                      (refuse "invalid_params" "expected a relation of ~{~a~^, ~}, got ~a"
                              (mapcar #'car *class-relations*) relation)))
         (name (parse-function-name (text-argument request "name") package))
         (class (and name (symbolp name) (named-class name)))
         (root (entry request "root"))
         (*looked-through* '())
         (*files* '()))
    (when class
      (let ((entries (stable-sort (remove nil (mapcar #'class-entry (funcall related class))) #'<
                                  :key (lambda (entry) (class-nearness entry root)))))
        (map 'vector #'class-object
             (subseq entries 0 (min (length entries) (limit-argument request 200))))))))
