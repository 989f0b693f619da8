;;;; What the image knows about names, found without interning one.

(eval-when (:compile-toplevel :load-toplevel :execute)
  (unless (find-package "DESCARTES-SERVICE")
    (make-package "DESCARTES-SERVICE" :use '("COMMON-LISP"))))

(in-package "DESCARTES-SERVICE")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (require "SB-INTROSPECT"))

;;; Names as they stand in a file

(defun parse-token (token)
  "Return the symbol name of TOKEN, its package name or NIL, and the number of colons between the two.
Case and escapes are those of the standard reader. NIL, NIL, NIL when TOKEN is no symbol."
  (let ((part (make-string-output-stream))
        (package nil)
        (colons 0)
        (length (length token))
        (at 0)
        (quoted nil))
    (flet ((finish ()
             (get-output-stream-string part)))
      (loop while (< at length)
            do (let ((char (char token at)))
                 (cond ((char= char #\|) (setf quoted (not quoted)))
                       ((char= char #\\)
                        (incf at)
                        (when (= at length) (return-from parse-token nil))
                        (write-char (char token at) part))
                       (quoted (write-char char part))
                       ((char= char #\:)
                        (when (or package (plusp colons)) (return-from parse-token nil))
                        (setf package (finish)
                              colons (if (and (< (1+ at) length) (char= (char token (1+ at)) #\:)) 2 1))
                        (incf at (1- colons)))
                       ((or (find char "()\"';`,") (<= (char-code char) 32))
                        (return-from parse-token nil))
                       (t (write-char (char-upcase char) part))))
               (incf at))
      (when quoted (return-from parse-token nil))
      (values (finish) package colons))))

(defun designated-package (designator)
  "Return the package that DESIGNATOR names, written as in a file or as in the image; else COMMON-LISP-USER."
  (flet ((without (prefix)
           (let ((end (length prefix)))
             (and (> (length designator) end)
                  (string= prefix designator :end2 end)
                  (parse-token (subseq designator end)))))
         (quoted ()
           (let ((end (1- (length designator))))
             (and (> end 0)
                  (char= #\" (char designator 0) (char designator end))
                  (subseq designator 1 end)))))
    (or (and designator
             (plusp (length designator))
             (or (find-package designator)
                 (some (lambda (name) (and name (find-package name)))
                       (list (quoted) (without "#:") (without ":") (parse-token designator)))))
        (find-package "COMMON-LISP-USER"))))

(defun visible-package (name package)
  "Return the package that NAME means in PACKAGE, whose local nicknames come first."
  (let ((*package* package))
    (find-package name)))

(defun find-named-symbol (token package)
  "Return the symbol that TOKEN names in PACKAGE and true, or NIL and NIL when there is none."
  (multiple-value-bind (name prefix) (parse-token token)
    (cond ((null name) (values nil nil))
          ((null prefix) (present name package))
          ((string= prefix "") (present name (find-package "KEYWORD")))
          ((string= prefix "#") (values nil nil))
          (t (let ((home (visible-package prefix package)))
               (if home (present name home) (values nil nil)))))))

(defun present (name package)
  (multiple-value-bind (symbol status) (find-symbol name package)
    (values symbol (and status t))))

(defun plain-name-p (name)
  "True when the reader takes NAME, written in lower case, for the symbol of that name."
  (and (plusp (length name))
       (string/= name ".")
       (notany (lambda (char)
                 (or (lower-case-p char) (find char "()\"';`,:|\\") (<= (char-code char) 32)))
               name)
       (notevery (lambda (char) (find char "0123456789.")) name)))

(defun written-name (name)
  "Return NAME as a person writes it: in lower case, with bars only where they are needed."
  (if (plain-name-p name)
      (string-downcase name)
      (with-output-to-string (out)
        (write-char #\| out)
        (loop for char across name
              do (when (find char "|\\") (write-char #\\ out))
                 (write-char char out))
        (write-char #\| out))))

(defun qualified-name (symbol)
  "Return SYMBOL as it can be written in any package."
  (let ((home (symbol-package symbol))
        (name (written-name (symbol-name symbol))))
    (cond ((null home) (concatenate 'string "#:" name))
          ((eq home (find-package "KEYWORD")) (concatenate 'string ":" name))
          (t (concatenate 'string (written-name (package-name home))
                          (if (external-p symbol home) ":" "::")
                          name)))))

(defun external-p (symbol package)
  (eq :external (nth-value 1 (find-symbol (symbol-name symbol) package))))

;;; What a symbol names

(defun named-class (symbol)
  (and symbol (find-class symbol nil)))

(defun kinds (symbol)
  "Return what SYMBOL names, the first first: a list of words."
  (let ((class (named-class symbol)))
    (remove nil
            (list (cond ((special-operator-p symbol) "special-operator")
                        ((macro-function symbol) "macro")
                        ((not (fboundp symbol)) nil)
                        ((typep (fdefinition symbol) 'generic-function) "generic")
                        (t "function"))
                  ;; Of a symbol macro CONSTANTP asks its expansion.
                  (cond ((eq :macro (sb-int:info :variable :kind symbol)) "symbol-macro")
                        ((constantp symbol) "constant")
                        ((or (boundp symbol) (eq :special (sb-int:info :variable :kind symbol))) "variable"))
                  (typecase class
                    (null (and (type-specifier-p symbol) "type"))
                    (structure-class "structure")
                    (t (if (subtypep class 'condition) "condition" "class")))
                  (and (compiler-macro-function symbol) "compiler-macro")
                  (and (setf-p symbol) "setf")))))

(defun type-specifier-p (symbol)
  (and (not (named-class symbol))
       (or (sb-int:info :type :expander symbol)
           (eq :primitive (sb-int:info :type :kind symbol)))
       t))

(defun setf-p (symbol)
  (or (fboundp `(setf ,symbol))
      (sb-int:info :setf :expander symbol)))

(defun kind (symbol)
  "Return the one word that says best what SYMBOL names, or NIL."
  (let ((kind (first (kinds symbol))))
    (cond ((null kind) nil)
          ((string= kind "symbol-macro") "variable")
          ((member kind '("structure" "condition") :test #'string=) "class")
          ((member kind '("compiler-macro" "setf") :test #'string=) "function")
          (t kind))))

;;; Argument lists

(defun put-lambda-list (form out)
  "Write FORM, a lambda list or a part of one, to OUT: names without packages, in lower case."
  (typecase form
    (null (write-string "()" out))
    (keyword (write-char #\: out) (write-string (string-downcase (symbol-name form)) out))
    (symbol (write-string (string-downcase (symbol-name form)) out))
    ((cons (eql quote) (cons t null)) (write-char #\' out) (put-lambda-list (second form) out))
    ((cons (eql function) (cons t null)) (write-string "#'" out) (put-lambda-list (second form) out))
    (cons
     (write-char #\( out)
     (loop for rest = form then (cdr rest)
           do (put-lambda-list (car rest) out)
              (cond ((null (cdr rest)) (return))
                    ((consp (cdr rest)) (write-char #\Space out))
                    (t (write-string " . " out) (put-lambda-list (cdr rest) out) (return))))
     (write-char #\) out))
    (t (write-string (printed form 200) out))))

(defun lambda-list (name)
  "Return the lambda list of the function, macro or special operator NAME and true, or NIL and NIL."
  (let ((function (or (and (symbolp name) (macro-function name)) (and (fboundp name) (fdefinition name)))))
    (cond ((null function) (values nil nil))
          ((typep function 'generic-function) (values (sb-mop:generic-function-lambda-list function) t))
          (t (values (sb-introspect:function-lambda-list
                      (if (and (symbolp name) (or (macro-function name) (special-operator-p name)))
                          name
                          function))
                     t)))))

(defun arglist (name)
  "Return how NAME is called, \"(mapcar function list &rest more-lists)\", or NIL."
  (multiple-value-bind (lambda-list known) (lambda-list name)
    (when known
      (let ((*print-pretty* nil))
        (with-output-to-string (out)
          (write-char #\( out)
          (if (symbolp name)
              (write-string (written-name (symbol-name name)) out)
              (put-lambda-list name out))
          (loop for rest = lambda-list then (cdr rest)
                while rest
                do (write-char #\Space out)
                   (when (atom rest)
                     (write-string ". " out)
                     (put-lambda-list rest out)
                     (return))
                   (put-lambda-list (car rest) out))
          (write-char #\) out))))))

;;; Printing within limits

(defclass bounded-stream (sb-gray:fundamental-character-output-stream)
  ((left :initarg :left :accessor left)
   (text :initform (make-string-output-stream) :reader text)))

(defmethod sb-gray:stream-write-char ((stream bounded-stream) char)
  (when (minusp (decf (left stream)))
    (throw 'full nil))
  (write-char char (text stream)))

(defmethod sb-gray:stream-write-string ((stream bounded-stream) string &optional (start 0) end)
  (let* ((end (or end (length string)))
         (fitting (min end (+ start (max 0 (left stream))))))
    (write-string string (text stream) :start start :end fitting)
    (decf (left stream) (- end start))
    (when (< fitting end)
      (throw 'full nil))
    string))

(defmethod sb-gray:stream-line-column ((stream bounded-stream))
  nil)

(defun bounded-text (limit writer)
  "Return what WRITER writes to its argument, at most LIMIT characters; the rest becomes an ellipsis."
  (let* ((stream (make-instance 'bounded-stream :left limit))
         (whole (catch 'full (funcall writer stream) t))
         (text (get-output-stream-string (text stream))))
    (if whole text (concatenate 'string text "…"))))

(defun printed (value limit)
  "Return VALUE printed readably for a person; a method that fails leaves its error in place of the value."
  (handler-case
      (let ((*print-length* 20) (*print-level* 4) (*print-circle* nil) (*print-readably* nil)
            (*print-escape* t) (*print-pretty* nil) (*print-case* :upcase))
        (bounded-text limit (lambda (out) (prin1 value out))))
    (serious-condition (problem)
      (format nil "#<~(~a~) while it was printed>" (type-of problem)))))

;;; Questions about one symbol

(defun documentation-entries (symbol kinds)
  (flet ((documented (type)
           (documentation symbol type))
         (any (&rest wanted)
           (intersection wanted kinds :test #'string=)))
    (let ((entries (list "function" (and (any "function" "generic" "macro" "special-operator")
                                         (documented 'function))
                         "variable" (and (any "variable" "constant" "symbol-macro") (documented 'variable))
                         "type" (and (any "class" "structure" "condition" "type") (documented 'type))
                         "setf" (and (any "setf") (documented 'setf))
                         "compiler-macro" (and (any "compiler-macro") (documented 'compiler-macro)))))
      (list* :object entries))))

(defun class-entries (symbol)
  "Return superclasses and direct slots of the class SYMBOL as two vectors of names, or NIL."
  (let ((class (named-class symbol)))
    (when class
      (flet ((names (objects key)
               (map 'vector (lambda (object) (short-name (funcall key object))) objects)))
        (list :object
              "superclasses" (names (sb-mop:class-direct-superclasses class) #'class-name)
              "slots" (names (sb-mop:class-direct-slots class) #'sb-mop:slot-definition-name))))))

(defun short-name (symbol)
  (written-name (symbol-name symbol)))

(defun function-type-text (symbol)
  (when (and (fboundp symbol) (not (macro-function symbol)) (not (special-operator-p symbol)))
    (let ((type (ignore-errors (sb-introspect:function-type symbol))))
      (when (consp type)
        (let ((*print-pretty* nil))
          (with-output-to-string (out) (put-lambda-list type out)))))))

(defun symbol-information (symbol)
  "Return everything a hover shows about SYMBOL."
  (let ((kinds (kinds symbol))
        (home (symbol-package symbol)))
    (list :object
          "name" (short-name symbol)
          "package" (and home (package-name home))
          "external" (if (and home (external-p symbol home)) t :false)
          "kinds" (coerce kinds 'vector)
          "arglist" (arglist symbol)
          "documentation" (documentation-entries symbol kinds)
          "value" (and (boundp symbol) (not (keywordp symbol)) (printed (symbol-value symbol) 1000))
          "type" (function-type-text symbol)
          "class" (class-entries symbol))))

(defun description (symbol)
  (let ((*print-right-margin* 100) (*print-length* 50) (*print-level* 6))
    (bounded-text 65536 (lambda (out) (describe symbol out)))))

;;; Questions about many

(defun classification (names package)
  "Return an object of the kinds of NAMES; those that name nothing are left out."
  (list* :object
         (loop for name across names
               for kind = (multiple-value-bind (symbol found) (find-named-symbol name package)
                            (and found (kind symbol)))
               when kind collect name and collect kind)))

(defun body-position (lambda-list)
  "Return how many arguments a macro with LAMBDA-LIST takes before its body, or NIL when it has none."
  (loop with before = 0
        while (consp lambda-list)
        do (case (pop lambda-list)
             (&body (return before))
             ((&whole &environment) (pop lambda-list))
             (&optional)
             ((&rest &key &aux) (return nil))
             (t (incf before)))))

(defun body-positions (names package)
  "Return an object of where the bodies of NAMES begin, -1 for functions; nothing for what has no &BODY."
  (flet ((position-of (symbol)
           (cond ((macro-function symbol) (body-position (lambda-list symbol)))
                 ((and (fboundp symbol) (not (special-operator-p symbol))) -1))))
    (list* :object
           (loop for name across names
                 for position = (multiple-value-bind (symbol found) (find-named-symbol name package)
                                  (and found (position-of symbol)))
                 when position collect name and collect position))))

(defun candidate (label symbol)
  "Return SYMBOL as a candidate that is inserted as LABEL."
  (let ((home (symbol-package symbol)))
    (list :object
          "label" label
          "kind" (or (kind symbol) "symbol")
          "package" (and home (package-name home))
          "arglist" (and (fboundp symbol) (arglist symbol)))))

(defun starts-at-p (pattern name start)
  "True when PATTERN stands in NAME at START, in whatever case."
  (let ((end (+ start (length pattern))))
    (and (<= end (length name))
         (string-equal pattern name :start2 start :end2 end))))

(defun remoteness (symbol)
  "Return how far SYMBOL is from what a person means: exported, exported by the Lisp's own parts, internal."
  (let ((home (symbol-package symbol)))
    (cond ((or (null home) (not (external-p symbol home))) 2)
          ((starts-at-p "SB-" (package-name home) 0) 1)
          (t 0))))

(defun apropos-candidates (text package limit)
  "Return up to LIMIT symbols that name something and have TEXT in their names, the likeliest first."
  (let ((found (make-hash-table :test #'eq)))
    (flet ((consider (symbol)
             (when (and (search text (symbol-name symbol) :test #'char-equal)
                        (not (keywordp symbol))
                        (kind symbol))
               (setf (gethash symbol found) (remoteness symbol)))))
      (if package
          (do-symbols (symbol package) (consider symbol))
          (do-all-symbols (symbol) (consider symbol))))
    (let ((symbols (sort (loop for symbol being the hash-keys of found using (hash-value rank)
                               collect (cons rank symbol))
                         (lambda (one other)
                           (if (= (car one) (car other))
                               (string< (symbol-name (cdr one)) (symbol-name (cdr other)))
                               (< (car one) (car other)))))))
      (map 'vector (lambda (entry) (candidate (qualified-name (cdr entry)) (cdr entry)))
           (subseq symbols 0 (min limit (length symbols)))))))
