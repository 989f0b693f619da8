;;;; Where a name is defined: file and exact place, in characters.

(in-package "DESCARTES-SERVICE")

(defparameter *definition-kinds*
  '((:function "function" "DEFUN")
    (:generic-function "generic" "DEFGENERIC")
    (:method "method" "DEFMETHOD" ":METHOD")
    (:macro "macro" "DEFMACRO")
    (:compiler-macro "compiler-macro" "DEFINE-COMPILER-MACRO")
    (:setf-expander "setf" "DEFSETF" "DEFINE-SETF-EXPANDER" "DEFINE-SETF-METHOD")
    (:variable "variable" "DEFVAR" "DEFPARAMETER" "DEFGLOBAL" "DEFINE-LOAD-TIME-GLOBAL")
    (:constant "constant" "DEFCONSTANT" "DEFINE-CONSTANT")
    (:symbol-macro "symbol-macro" "DEFINE-SYMBOL-MACRO")
    (:class "class" "DEFCLASS")
    (:structure "structure" "DEFSTRUCT")
    (:condition "condition" "DEFINE-CONDITION")
    (:type "type" "DEFTYPE")
    (:method-combination "method-combination" "DEFINE-METHOD-COMBINATION")
    (:package "package" "DEFPACKAGE" "DEFINE-PACKAGE"))
  "What the image can tell the source of: its name there, our word, the operators that define it.")

(defparameter *snippet-length* 256 "Characters of text that come with a place, to find it again.")

(defstruct place file offset snippet)

(defvar *looked-through* '()
  "For one question: what LOOK-THROUGH has said of a text already. Methods often share a file.")

(defun mentions-in (text)
  (let ((known (assoc text *looked-through* :test #'eq)))
    (values-list (if known
                     (cdr known)
                     (let ((new (multiple-value-list (look-through text))))
                       (push (cons text new) *looked-through*)
                       new)))))

(defvar *files* '() "For one question: the texts of the files that it has read.")

;;; From what the compiler recorded to a place in the text

(defun octets-text (octets)
  "Return OCTETS as text: UTF-8, or Latin-1 when they are none."
  (handler-case (sb-ext:octets-to-string octets :external-format :utf-8)
    (error () (sb-ext:octets-to-string octets :external-format :latin-1))))

(defun file-text (file)
  "Return the text of FILE, or NIL when it cannot be read."
  (let ((known (assoc file *files* :test #'string=)))
    (if known
        (cdr known)
        (let ((text (read-file-text file)))
          (push (cons file text) *files*)
          text))))

(defun read-file-text (file)
  (ignore-errors
   (with-open-file (in file :element-type '(unsigned-byte 8))
     (let ((octets (make-array (file-length in) :element-type '(unsigned-byte 8))))
       (read-sequence octets in)
       (coerce (octets-text octets) 'simple-string)))))

(defun name-parts (name)
  "Return NAME, a symbol or a list (SETF symbol), as the texts that a mention of it has."
  (if (consp name)
      (mapcar #'string name)
      (list (string name))))

(defun description-signature (source)
  "Return qualifiers and specializers that SOURCE, a method's, is described by."
  (mapcar (lambda (part) (if (consp part) (string (first part)) (string part)))
          (sb-introspect::definition-source-description source)))

(defun source-toplevel (source)
  "Return the number of the top-level form that SOURCE came from, as the reader counts, or NIL."
  (first (sb-introspect:definition-source-form-path source)))

(defun operator-score (operator operators)
  (cond ((member operator operators :test #'string=) 4)
        ((some (lambda (row) (member operator (cddr row) :test #'string=)) *definition-kinds*) nil)
        ;; An operator that nobody here knows may well define such a thing.
        (t 2)))

(defun mention-score (mention text source kind name)
  "Return how surely MENTION in TEXT is the definition SOURCE of NAME, or NIL."
  (let ((operator-score (operator-score (mention-operator mention) (cddr kind))))
    (and operator-score
         (equal (mentioned-names mention) (name-parts name))
         (+ operator-score
            (if (eql (mention-toplevel mention) (source-toplevel source)) 1 0)
            (if (and (eq (first kind) :method)
                     (equal (written-signature mention text) (description-signature source)))
                8
                0)))))

(defun best-mention (mentions text source kind name)
  (let ((best nil)
        (best-score 0))
    (dolist (mention mentions best)
      (let ((score (mention-score mention text source kind name)))
        (when (and score (> score best-score))
          (setf best mention
                best-score score))))))

(defun place-in-text (text source kind name)
  "Return where in TEXT the definition SOURCE of NAME stands, and its end; NIL when there is no telling."
  (multiple-value-bind (mentions starts) (mentions-in text)
    (let ((mention (best-mention mentions text source kind name))
          (toplevel (source-toplevel source)))
      (cond (mention (values (mention-start mention) (mention-end mention)))
            ;; Written by a macro, or an accessor of a structure: the form that made it.
            ((and toplevel (< toplevel (length starts)))
             (let ((start (aref starts toplevel)))
               (values start (let ((*text* (coerce text 'simple-string))) (end-of-form start)))))))))

(defun snippet (text start end)
  (subseq text start (min end (+ start *snippet-length*))))

(defun place-in-file (file source kind name)
  (let* ((text (or (file-text file) (return-from place-in-file nil))))
    (multiple-value-bind (start end) (place-in-text text source kind name)
      (make-place :file file
                  :offset (or start 0)
                  :snippet (and start (snippet text start end))))))

(defun place-in-buffer (file plist source kind name)
  "Return the place of a definition that was compiled from a piece of FILE, whose text PLIST holds.
The piece may not have been saved, or may have moved since; what the file says now counts if it has it."
  (let* ((piece (getf plist :emacs-string))
         (base (1- (or (getf plist :emacs-position) 1))))
    (multiple-value-bind (start end) (place-in-text piece source kind name)
      (let* ((offset (+ base (or start 0)))
             (snippet (and start (snippet piece start end)))
             (text (file-text file)))
        (if (or (null text) (null snippet) (starts-exactly-p snippet text offset))
            (make-place :file file :offset offset :snippet snippet)
            (let ((now (place-in-file file source kind name)))
              (if (and (place-snippet now) (/= 0 (place-offset now)))
                  now
                  (make-place :file file :offset offset :snippet snippet))))))))

(defun starts-exactly-p (piece text start)
  (let ((end (+ start (length piece))))
    (and (<= end (length text))
         (string= piece text :start2 start :end2 end))))

(defun existing-file (pathname)
  "Return PATHNAME as the system writes it when there is such a file, else NIL."
  (ignore-errors
   (let ((path (merge-pathnames (translate-logical-pathname pathname))))
     (and (probe-file path)
          (sb-ext:native-namestring path)))))

(defun source-place (source kind name)
  "Return the place of SOURCE, or NIL when it is in no file that is here."
  (let* ((plist (sb-introspect:definition-source-plist source))
         (file (or (and (stringp (getf plist :emacs-filename))
                        (existing-file (sb-ext:parse-native-namestring (getf plist :emacs-filename))))
                   (and (sb-introspect:definition-source-pathname source)
                        (existing-file (sb-introspect:definition-source-pathname source))))))
    (cond ((null file) nil)
          ((stringp (getf plist :emacs-string)) (place-in-buffer file plist source kind name))
          (t (place-in-file file source kind name)))))

;;; The question

(defun definition-sources (name kind)
  (remove nil (ignore-errors (sb-introspect:find-definition-sources-by-name name (first kind)))))

(defun definition-name (name kind source)
  "Return how one definition is shown: the name, and of a method its qualifiers and specializers."
  (let ((shown (if (consp name)
                   (format nil "(setf ~a)" (short-name (second name)))
                   (short-name name))))
    (if (eq (first kind) :method)
        (format nil "~a (~{~a~^ ~})" shown
                (mapcar (lambda (part) (string-downcase (princ-to-string part)))
                        (sb-introspect::definition-source-description source)))
        shown)))

(defun definition-object (name kind source)
  (let ((place (source-place source kind name)))
    (when place
      (list :object
            "kind" (second kind)
            "name" (definition-name name kind source)
            "file" (place-file place)
            "offset" (place-offset place)
            "snippet" (place-snippet place)))))

(defun definitions-of (name)
  (loop for kind in *definition-kinds*
        unless (eq (first kind) :package)
          append (loop for source in (definition-sources name kind)
                       for object = (definition-object name kind source)
                       when object collect object)))

(defun package-definitions (token package)
  "Return where the package is defined that TOKEN, \":foo\" or \"foo\", names."
  (let* ((name (parse-token (string-left-trim "#:" (string-trim "\"" token))))
         (found (visible-package (or name "") package))
         (kind (find :package *definition-kinds* :key #'first)))
    (when found
      (loop with name = (make-symbol (package-name found))
            for source in (definition-sources name kind)
            for object = (definition-object name kind source)
            when object collect object))))

(defun parse-function-name (token package)
  "Return what TOKEN names: a symbol, or (SETF symbol) for \"(setf name)\"; second value: whether it exists."
  (let ((*text* (coerce (string-trim " " token) 'simple-string)))
    (if (eql (text-char 0) #\()
        (let ((parts (element-texts 1)))
          (if (and (= 2 (length parts)) (string-equal "setf" (first parts)))
              (multiple-value-bind (symbol found) (find-named-symbol (second parts) package)
                (values (list 'setf symbol) found))
              (values nil nil)))
        (find-named-symbol token package))))

(defun definitions (token package)
  "Return a vector of all definitions of TOKEN that stand in files which are here."
  (let ((*looked-through* '())
        (*files* '()))
    (multiple-value-bind (name found) (parse-function-name token package)
      (coerce (remove-duplicates (append (and found (definitions-of name))
                                         (package-definitions token package))
                                 :test #'equal :from-end t)
              'vector))))
