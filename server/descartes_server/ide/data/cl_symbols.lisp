;;;; Writes cl_symbols.tsv, the table of the 978 symbols of the standard, from a running SBCL:
;;;;   sbcl --script cl_symbols.lisp > cl_symbols.tsv
;;;; A line is: name, kinds (comma between), lambda list, first sentence of the documentation.

(require :sb-introspect)

(defun words (text)
  "TEXT on one line, with single spaces."
  (with-output-to-string (out)
    (let ((gap nil))
      (loop for char across text
            do (cond ((member char '(#\Space #\Newline #\Tab)) (setf gap t))
                     (t (when gap (write-char #\Space out))
                        (setf gap nil)
                        (write-char char out)))))))

(defun summary (documentation)
  (if documentation
      (let* ((text (words (subseq documentation 0 (search (format nil "~%~%") documentation))))
             (end (search ". " text)))
        (string-trim " " (if end (subseq text 0 (1+ end)) text)))
      ""))

(defun function-kind (symbol)
  (cond ((special-operator-p symbol) "special-operator")
        ((macro-function symbol) "macro")
        ((not (fboundp symbol))
         (when (member symbol '(call-next-method next-method-p call-method make-method)) "function"))
        ((typep (fdefinition symbol) 'generic-function) "generic")
        (t "function")))

(defun variable-kind (symbol)
  (cond ((and (boundp symbol) (constantp symbol)) "constant")
        ((or (boundp symbol) (member (sb-int:info :variable :kind symbol) '(:special :global))) "variable")))

(defun type-kind (symbol)
  (let ((class (find-class symbol nil)))
    (cond ((and class (subtypep symbol 'condition)) "condition")
          (class "class")
          ((or (sb-int:info :type :expander symbol)
               (member (sb-int:info :type :kind symbol) '(:primitive :defined)))
           "type"))))

(defun kinds (symbol)
  (or (remove nil (list (function-kind symbol) (variable-kind symbol) (type-kind symbol)))
      (list (if (char= (char (symbol-name symbol) 0) #\&) "lambda-list-keyword" "declaration"))))

(defun without-supplied-p (list)
  "LIST without the supplied-p variables of its parameters, which tell a caller nothing."
  (let ((optional nil))
    (loop for rest = list then (cdr rest)
          for item = (if (consp rest) (car rest) (return (append result rest)))
          when (member item lambda-list-keywords) do (setf optional (member item '(&optional &key)))
          collect (if (and optional (consp item)) (subseq item 0 (min 2 (length item))) item)
            into result)))

(defun spell (form)
  (cond ((keywordp form) (format nil ":~(~a~)" (symbol-name form)))
        ((symbolp form) (string-downcase (symbol-name form)))
        ((atom form) (let ((*print-case* :downcase)) (prin1-to-string form)))
        ((and (eq (car form) 'quote) (consp (cdr form)) (null (cddr form)))
         (format nil "'~a" (spell (cadr form))))
        ((and (eq (car form) 'function) (consp (cdr form)) (null (cddr form)))
         (format nil "#'~a" (spell (cadr form))))
        (t (spell-list form))))

(defun spell-list (list)
  (format nil "(~{~a~^ ~})"
          (loop for rest = list then (cdr rest)
                while rest
                if (consp rest) collect (spell (car rest))
                else append (list "." (spell rest)) and do (loop-finish))))

(let ((symbols '()))
  (do-external-symbols (symbol :common-lisp) (push symbol symbols))
  (dolist (symbol (sort symbols #'string<))
    (format t "~a~c~{~a~^,~}~c~a~c~a~%"
            (string-downcase (symbol-name symbol)) #\Tab (kinds symbol) #\Tab
            (if (fboundp symbol)
                (spell-list (without-supplied-p (sb-introspect:function-lambda-list symbol)))
                "")
            #\Tab
            (summary (or (documentation symbol 'function) (documentation symbol 'variable)
                         (documentation symbol 'type))))))
