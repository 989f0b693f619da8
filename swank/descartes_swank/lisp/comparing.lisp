;;;; What is defined in this image, one line for each definition, to be held against another image's.
;;;;
;;;; Sent to an image when it is first compared. What came with the Lisp, Swank and ASDF is left out.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(own-packages package-definitions)))

(defparameter *comparing-version* "1"
  "What a client compares with its own copy of this file; to be changed with every change of an interface.")

(defparameter *foreign-packages*
  '("SB-" "SWANK" "SLYNK" "ASDF" "UIOP" "DESCARTES" "QL-" "QUICKLISP" "KEYWORD" "COMMON-LISP" "MONITOR")
  "Beginnings of the names of packages that are nobody's work here.")

(defconstant +longest-line+ 400)

(defun own-package-p (package)
  (let ((name (package-name package)))
    (and name
         (or (string= name "COMMON-LISP-USER")
             (notany (lambda (start)
                       (and (>= (length name) (length start)) (string= start name :end2 (length start))))
                     *foreign-packages*)))))

(defun own-packages ()
  "Return the names of the packages that are compared, sorted."
  (sort (loop for package in (list-all-packages)
              when (own-package-p package) collect (package-name package))
        #'string<))

(defun line-of (control &rest arguments)
  (let* ((*package* (find-package "KEYWORD"))
         (*print-pretty* nil) (*print-length* 30) (*print-level* 4) (*print-circle* t)
         (text (or (ignore-errors (apply #'format nil control arguments)) "")))
    (if (> (length text) +longest-line+) (concatenate 'string (subseq text 0 +longest-line+) "…") text)))

(defun digest-line (key)
  "Return the digest of the text that made KEY, behind a blank, or nothing when nobody saw it."
  (let ((mark (gethash key *marks*)))
    (if (and mark
             (let ((unit (mark-unit mark)))
               (valid-mark unit (and (mark-package mark) (find-package (mark-package mark))))))
        (format nil " text ~a" (subseq (mark-digest mark) 0 8))
        "")))

(defun spelled (name)
  "Return NAME as one reads it: without its package, in lower case."
  (if (consp name)
      (format nil "(setf ~a)" (spelled (second name)))
      (string-downcase (symbol-name name))))

(defun function-lines (name)
  (let ((function (function-of name)))
    (when function
      (cons (list (cond ((and (symbolp name) (macro-function name)) "macro")
                        ((typep function 'generic-function) "generic")
                        (t "function"))
                  (spelled name)
                  (line-of "~s~a" (swank/backend:arglist name) (digest-line (list "function" name))))
            (when (typep function 'generic-function) (method-lines name function))))))

(defun specializer-line (specializer)
  (if (typep specializer 'class)
      (spelled (class-name specializer))
      (line-of "(eql ~s)" (sb-mop:eql-specializer-object specializer))))

(defun method-lines (name function)
  (loop for method in (sb-mop:generic-function-methods function)
        for parts = (append (loop for each in (method-qualifiers method) collect (line-of "~(~s~)" each))
                            (mapcar #'specializer-line (sb-mop:method-specializers method)))
        collect (list "method" (format nil "~a (~{~a~^ ~})" (spelled name) parts)
                      (line-of "~s~a" (sb-mop:method-lambda-list method) (method-digest name method)))))

(defun method-digest (name method)
  "Return the digest of the text that made METHOD of NAME."
  (loop for key being the hash-keys of *marks* using (hash-value mark)
        when (and (equal (first key) "method")
                  (equal (second key) name)
                  (member method (mark-witnesses mark) :key #'sb-ext:weak-pointer-value))
          do (return (format nil " text ~a" (subseq (mark-digest mark) 0 8)))
        finally (return "")))

(defun value-line (symbol)
  "Return the value of SYMBOL when it is a plain one; of others no more is said than what they are."
  (cond ((not (boundp symbol)) "unbound")
        ((typep (symbol-value symbol) '(or number symbol character)) (line-of "~s" (symbol-value symbol)))
        ((stringp (symbol-value symbol)) (line-of "~s" (symbol-value symbol)))
        (t (let ((type (type-of (symbol-value symbol))))
             (line-of "a ~(~a~)" (if (consp type) (first type) type))))))

(defun variable-lines (symbol)
  (let ((kind (sb-int:info :variable :kind symbol)))
    (when (member kind '(:special :global :constant :macro))
      (list (list (case kind (:constant "constant") (:macro "symbol-macro") (t "variable"))
                  (spelled symbol)
                  (format nil "~a~a" (if (eq kind :macro) "" (value-line symbol))
                          (digest-line (list "variable" symbol))))))))

(defun class-lines (symbol)
  (let ((class (find-class symbol nil)))
    (cond ((and class (eq (class-name class) symbol))
           (list (list (cond ((typep class 'structure-class) "structure")
                             ((subtypep class 'condition) "condition")
                             (t "class"))
                       (spelled symbol)
                       (line-of "(~{~a~^ ~}) (~{~a~^ ~})~a"
                                (loop for each in (sb-mop:class-direct-superclasses class)
                                      collect (spelled (class-name each)))
                                (loop for slot in (ignore-errors (sb-mop:class-direct-slots class))
                                      collect (spelled (sb-mop:slot-definition-name slot)))
                                (digest-line (list "type" symbol))))))
          ((ignore-errors (sb-int:info :type :expander symbol))
           (list (list "type" (spelled symbol) (digest-line (list "type" symbol))))))))

(defun package-line (package)
  (list "package" (string-downcase (package-name package))
        (line-of "uses (~{~a~^ ~}) exports (~{~a~^ ~})"
                 (sort (mapcar #'package-name (package-use-list package)) #'string<)
                 (let ((names '()))
                   (do-external-symbols (symbol package) (push (string-downcase symbol) names))
                   (sort names #'string<)))))

(defun symbol-lines (symbol)
  (append (function-lines symbol)
          (function-lines (list 'setf symbol))
          (variable-lines symbol)
          (class-lines symbol)
          (when (compiler-macro-function symbol)
            (list (list "compiler-macro" (spelled symbol) (digest-line (list "compiler-macro" symbol)))))
          (when (sb-int:info :setf :expander symbol)
            (list (list "setf" (spelled symbol) (digest-line (list "setf" symbol)))))))

(defun package-definitions (name)
  "Return (KIND NAME LINE) for each definition whose name is at home in the package NAME."
  (let ((package (find-package name)))
    (when package
      (let ((lines '()))
        (do-symbols (symbol package)
          (when (eq (symbol-package symbol) package)
            (setf lines (revappend (ignore-errors (symbol-lines symbol)) lines))))
        (cons (package-line package) (remove-duplicates lines :test #'equal))))))
