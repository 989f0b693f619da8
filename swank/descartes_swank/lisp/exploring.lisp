;;;; Questions of a person who looks around: disassembly, expansions, taking definitions away.
;;;;
;;;; Names are read without interning one; only the text of a form that is to be expanded is read as a form.

(in-package "DESCARTES-SERVICE")

;;; Names that must be there

(defun distance (one other most)
  "Return how many letters must change to make ONE into OTHER, or NIL when it is more than MOST."
  (let ((row (coerce (loop for i from 0 to (length other) collect i) 'vector)))
    (loop for char across one
          for line from 1
          do (let ((corner (aref row 0)))
               (setf (aref row 0) line)
               (loop for j from 1 to (length other)
                     for above = (aref row j)
                     do (setf (aref row j) (min (1+ above) (1+ (aref row (1- j)))
                                                (if (char-equal char (char other (1- j))) corner (1+ corner)))
                              corner above))))
    (let ((distance (aref row (length other))))
      (and (<= distance most) distance))))

(defun near-names (token package)
  "Return up to five symbols, as they are written in PACKAGE, whose names are almost that of TOKEN."
  (multiple-value-bind (name prefix) (parse-token (string-trim " ()'#" token))
    (let ((home (if prefix (visible-package prefix package) package))
          (found '()))
      (when (and name home (<= 2 (length name) 100))
        (do-symbols (symbol home)
          (let* ((near (abs (- (length name) (length (symbol-name symbol)))))
                 (distance (and (<= near 2) (distance name (symbol-name symbol) 2))))
            (when (and distance (kind symbol))
              (pushnew (cons distance symbol) found :key #'cdr)))))
      (loop for (nil . symbol) in (stable-sort (sort found #'string< :key #'cdr) #'< :key #'car)
            repeat 5
            collect (if prefix (qualified-name symbol) (short-name symbol))))))

(defun refuse-unknown (token package)
  (let ((near (near-names token package)))
    (refuse "not_found" "expected a symbol that is there, got '~a' in ~a~@[; there is ~{~a~^, ~}~]"
            token (package-name package) near)))

(defun needed-name (token package)
  "Return what TOKEN, a symbol or (SETF symbol), names in PACKAGE; refuse one that is not there."
  (multiple-value-bind (name found) (parse-function-name token package)
    (if found name (refuse-unknown token package))))

(defun needed-symbol (token package)
  (let ((name (needed-name token package)))
    (if (symbolp name) name (refuse "invalid_params" "expected a symbol, got ~a" token))))

(defun written (name)
  "Return NAME, a symbol or (SETF symbol), as one writes it anywhere."
  (cond ((symbolp name) (qualified-name name))
        ((and (consp name) (eq 'setf (first name)) (symbolp (second name)))
         (format nil "(setf ~a)" (qualified-name (second name))))
        (t (printed name 400))))

;;; Looking

(define-question "described" (request package :slow t)
  (let ((name (needed-name (text-argument request "name") package)))
    (if (symbolp name)
        (description name)
        (let ((*print-right-margin* 100))
          (bounded-text 65536 (lambda (out)
                                (describe (or (and (fboundp name) (fdefinition name)) name) out)))))))

(defparameter *longest-text* 1048576 "Characters of an expansion or a disassembly.")

(define-question "disassembly" (request package :slow t)
  (let ((name (needed-name (text-argument request "name") package)))
    (cond ((and (symbolp name) (special-operator-p name))
           (refuse "invalid_params" "~a is a special operator; it has no code of its own" (written name)))
          ((not (fboundp name))
           (refuse "not_found" "~a names no function" (written name))))
    (bounded-text *longest-text*
                  (lambda (out)
                    (disassemble (or (and (symbolp name) (macro-function name)) (fdefinition name))
                                 :stream out)))))

;;; Expanding

(defun read-form (text)
  "Return the one form that TEXT is, read in *PACKAGE*."
  (handler-case
      (with-input-from-string (in text)
        (let ((form (read in)))
          (if (eq in (read in nil in))
              form
              (refuse "invalid_params" "expected one form to expand, got more; give one form"))))
    (end-of-file () (refuse "invalid_params" "expected a whole form to expand, got one that does not end"))
    (reader-error (problem) (refuse "invalid_params" "the form cannot be read: ~a" problem))))

(defvar *with-environment* nil "What the macro in the middle of FROM-WITHIN's form calls with its environment.")

(defun shadowing (kind bindings)
  "Return the operator and the bindings that make the lexical environment of KIND over BINDINGS."
  (flet ((nameless (binding)
           ;; What a local function does is of no interest, only that its name is no macro there.
           (list (first binding) '(&rest arguments) '(declare (ignore arguments)))))
    (cond ((string= kind "macrolet") (list 'macrolet bindings))
          ((string= kind "symbol-macrolet") (list 'symbol-macrolet bindings))
          (t (list 'flet (mapcar #'nameless bindings))))))

(defun compile-around (around)
  "Compile a form that calls *WITH-ENVIRONMENT* with the environment inside AROUND."
  (let* ((marker (gensym "HERE"))
         (form `(macrolet ((,marker (&environment environment)
                             (funcall *with-environment* environment)
                             nil))
                  (,marker))))
    (dolist (outer (reverse around))
      (setf form (append outer (list form))))
    (handler-bind ((warning #'muffle-warning))
      ;; Somebody may well have a local function called WHEN.
      (sb-ext:without-package-locks
        (compile nil `(lambda () ,form))))))

(defun from-within (around function)
  "Call FUNCTION with the environment inside AROUND, forms such as (MACROLET BINDINGS), the outermost first."
  (let* ((reached nil)
         (problem nil)
         (results '())
         (*with-environment*
           (lambda (environment)
             (setf reached t)
             ;; The compiler would make a warning of it.
             (handler-case (setf results (multiple-value-list (funcall function environment)))
               (serious-condition (condition) (setf problem condition))))))
    (when around (compile-around around))
    ;; Bindings that cannot be compiled say nothing.
    (unless reached (funcall *with-environment* nil))
    (when problem (error problem))
    (values-list results)))

(defun around-forms (request)
  (loop for outer across (or (entry request "around") #())
        for kind = (text-argument outer "kind")
        for bindings = (read-form (text-argument outer "bindings"))
        ;; Text that is being typed may be anything; then it says nothing.
        when (and (listp bindings) (every #'consp bindings))
          collect (shadowing kind bindings)))

(defun expander (mode)
  (cond ((string= mode "1") #'macroexpand-1)
        ((string= mode "all") (lambda (form environment)
                                (let ((expansion (swank/backend:macroexpand-all form environment)))
                                  (values expansion (not (equal form expansion))))))
        ((string= mode "compiler") #'swank/backend:compiler-macroexpand-1)
        (t (refuse "invalid_params" "expected the mode 1, all or compiler, got ~a" mode))))

(defun printed-form (form)
  (let ((*print-pretty* t) (*print-case* :downcase) (*print-right-margin* 90) (*print-length* nil)
        (*print-level* nil) (*print-circle* nil) (*print-readably* nil) (*print-lines* nil)
        (*print-escape* t) (*print-gensym* t) (*print-base* 10) (*print-radix* nil))
    (bounded-text *longest-text* (lambda (out) (prin1 form out)))))

(define-question "expansion" (request package :slow t)
  (let ((expand (expander (or (entry request "mode") "1")))
        (form (read-form (text-argument request "code"))))
    (multiple-value-bind (expansion expanded)
        (from-within (around-forms request) (lambda (environment) (funcall expand form environment)))
      (list :object
            "text" (printed-form expansion)
            "expanded" (if expanded t :false)))))

;;; Taking away

(defun take-away-function (symbol)
  (untrace-name symbol)
  (fmakunbound symbol))

(defparameter *removers*
  (list (cons "function" #'take-away-function)
        (cons "generic" #'take-away-function)
        (cons "macro" #'take-away-function)
        (cons "variable" #'makunbound)
        (cons "class" (lambda (symbol) (setf (find-class symbol) nil)))
        (cons "structure" (lambda (symbol) (setf (find-class symbol) nil)))
        (cons "condition" (lambda (symbol) (setf (find-class symbol) nil)))
        (cons "compiler-macro" (lambda (symbol) (setf (compiler-macro-function symbol) nil)))
        (cons "setf" (lambda (symbol) (fmakunbound `(setf ,symbol)))))
  "By kind, as KINDS names it: what takes the definition of a symbol away.")

(defun call-unlocked (function symbol)
  "Call FUNCTION, and refuse what a lock on SYMBOL's package forbids."
  (handler-case (funcall function)
    (package-error ()
      (refuse "invalid_params" "the package of ~a, ~a, is locked; what belongs to the Lisp itself stays"
              (written symbol) (let ((home (symbol-package symbol))) (if home (package-name home) "none"))))))

(defun chosen-kind (symbol given)
  "Return the kind of definition to take away from SYMBOL: the one GIVEN, or the only one there is."
  (let* ((kinds (kinds symbol))
         (possible (remove-if-not (lambda (kind) (assoc kind *removers* :test #'string=)) kinds)))
    (cond ((null kinds)
           (refuse "not_found" "~a is defined as nothing" (written symbol)))
          ((and given (not (find given possible :test #'string=)))
           (refuse (if (find given kinds :test #'string=) "invalid_params" "not_found")
                   "~a has no definition as ~a that can be taken away; it is ~{~a~^, ~}"
                   (written symbol) given kinds))
          (given given)
          ((null possible)
           (refuse "invalid_params" "~a is ~{~a~^, ~}, which cannot be taken away" (written symbol) kinds))
          ((rest possible)
           (refuse "invalid_params" "~a is ~{~a~^, ~}; say by kind which of these is to be taken away"
                   (written symbol) possible))
          (t (first possible)))))

(define-question "undefine" (request package)
  (let* ((symbol (needed-symbol (text-argument request "name") package))
         (kind (chosen-kind symbol (entry request "kind"))))
    (call-unlocked (lambda () (funcall (cdr (assoc kind *removers* :test #'string=)) symbol)) symbol)
    (list :object "name" (written symbol) "kind" kind)))

(define-question "unintern" (request package)
  (let* ((token (text-argument request "name"))
         (symbol (needed-symbol token package))
         (prefix (nth-value 1 (parse-token token)))
         (home (cond ((null prefix) package)
                     ((string= prefix "") (find-package "KEYWORD"))
                     (t (visible-package prefix package))))
         (name (written symbol)))
    (when (eq :inherited (nth-value 1 (find-symbol (symbol-name symbol) home)))
      (refuse "invalid_params" "~a is not in ~a itself, which inherits it; unintern it as ~a"
              token (package-name home) name))
    (call-unlocked (lambda () (unintern symbol home)) symbol)
    (list :object "name" name "package" (package-name home))))
