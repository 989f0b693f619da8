;;;; Where the definitions stand in a text, found without reading it: nothing is interned or evaluated.
;;;;
;;;; The places that the compiler recorded count bytes, and belong to the text of that time. This
;;;; counts characters of the text of now.

(in-package "DESCARTES-SERVICE")

(defstruct mention
  "A list in a text that looks like a definition."
  (start 0) (end 0)
  operator      ; as the reader would name it, \"DEFUN\"; \":METHOD\" for a method within its generic function
  name          ; the text of the defined name
  name-end
  toplevel)     ; how many top-level forms stand before the one that holds it

(defvar *text* "" "The text that is looked through.")
(defvar *mentions* '() "What was found so far, the last first.")
(defvar *toplevel* 0 "How many top-level forms were passed.")
(defvar *generic* nil "The name of the generic function whose definition is looked through.")
(declaim (type simple-string *text*))

(declaim (inline text-char))
(defun text-char (at)
  (if (< at (length *text*)) (schar *text* at) nil))

(defun blank-p (char)
  (and char (find char '(#\Space #\Tab #\Newline #\Return #\Page #\Linefeed)) t))

(defun end-of-block-comment (at)
  "Return where the comment ends whose #| stands at AT."
  (loop with depth = 0
        do (cond ((null (text-char at)) (return at))
                 ((and (eql (text-char at) #\#) (eql (text-char (1+ at)) #\|))
                  (incf depth) (incf at 2))
                 ((and (eql (text-char at) #\|) (eql (text-char (1+ at)) #\#))
                  (decf depth) (incf at 2)
                  (when (zerop depth) (return at)))
                 (t (incf at)))))

(defun after-blanks (at)
  "Return the first place from AT on that is neither blank nor in a comment."
  (loop
    (let ((char (text-char at)))
      (cond ((null char) (return at))
            ((or (blank-p char) (eql (char-code char) #xFEFF)) (incf at))
            ((char= char #\;)
             (setf at (or (position #\Newline *text* :start at) (length *text*))))
            ((and (char= char #\#) (eql (text-char (1+ at)) #\|))
             (setf at (end-of-block-comment at)))
            (t (return at))))))

(defun end-of-quoted (at quote)
  "Return where the text ends that begins with the character QUOTE at AT."
  (loop for place from (1+ at)
        for char = (text-char place)
        do (cond ((null char) (return place))
                 ((char= char #\\) (incf place))
                 ((char= char quote) (return (1+ place))))))

(defun end-of-token (at)
  (loop for char = (text-char at)
        do (cond ((or (null char) (blank-p char) (find char "()\"';`,")) (return at))
                 ((char= char #\\) (setf at (min (length *text*) (+ at 2))))
                 ((char= char #\|) (setf at (end-of-quoted at #\|)))
                 (t (incf at)))))

(defun true-feature-p (text)
  "True when the feature expression TEXT holds in this image."
  (let* ((*text* (coerce text 'simple-string))
         (start (after-blanks 0)))
    (if (eql (text-char start) #\()
        (let* ((parts (element-texts (1+ start)))
               (operator (parse-token (or (first parts) ""))))
          (cond ((equal operator "AND") (every #'true-feature-p (rest parts)))
                ((equal operator "OR") (some #'true-feature-p (rest parts)))
                ((equal operator "NOT") (not (true-feature-p (or (second parts) ""))))))
        (let ((name (parse-token (subseq *text* start (end-of-token start)))))
          (and name
               (find name *features* :test #'string= :key #'symbol-name)
               t)))))

(defun element-texts (at)
  "Return the texts of the elements from AT to the end of their list."
  (loop for start = (after-blanks at)
        for char = (text-char start)
        until (or (null char) (char= char #\)))
        collect (let ((*mentions* '()))
                  (subseq *text* start (setf at (end-of-form start))))))

(defun after-conditional (at)
  "AT holds #+ or #-: return the start of the form that it lets through, and true, or the end of the other."
  (let* ((feature (after-blanks (+ at 2)))
         (end (let ((*mentions* '())) (end-of-form feature)))
         (form (after-blanks end)))
    (if (eq (true-feature-p (subseq *text* feature end)) (char= (text-char (1+ at)) #\+))
        (values form t)
        (values (let ((*mentions* '())) (end-of-form form)) nil))))

(defun end-of-form (at)
  "Return where the form ends that begins at AT, and keep what looks like a definition in it."
  (let ((char (text-char at))
        (next (text-char (1+ at))))
    (case char
      ((nil) at)
      (#\( (end-of-list at))
      (#\" (end-of-quoted at #\"))
      ((#\' #\`) (end-of-form (after-blanks (1+ at))))
      (#\, (end-of-form (after-blanks (if (find next "@.") (+ at 2) (1+ at)))))
      (#\) (1+ at))
      (#\# (end-of-dispatched at next))
      (t (max (1+ at) (end-of-token at))))))

(defun end-of-dispatched (at next)
  (case next
    (#\\ (end-of-token (min (length *text*) (+ at 3))))
    ((#\' #\.) (end-of-form (after-blanks (+ at 2))))
    ((#\+ #\-) (multiple-value-bind (place passed) (after-conditional at)
                 (if passed (end-of-form place) place)))
    (t (let ((end (max (1+ at) (end-of-token (1+ at)))))
         ;; #( #2A( #S( #p"…": the prefix is a token, what follows belongs to it.
         (if (and (find (text-char end) "(\"") (not (eql next #\:)))
             (end-of-form end)
             end)))))

(defun end-of-list (start)
  (let ((mention (mention-at start)))
    (when mention (push mention *mentions*))
    (let ((*generic* (if (and mention (equal (mention-operator mention) "DEFGENERIC"))
                         (mention-name mention)
                         *generic*)))
      (loop with at = (1+ start)
            do (setf at (after-blanks at))
               (let ((char (text-char at)))
                 (when (or (null char) (char= char #\)))
                   (let ((end (if char (1+ at) at)))
                     (when mention (setf (mention-end mention) end))
                     (return end))))
               (setf at (end-of-form at))))))

(defun mention-at (start)
  "Return the list at START as a mention when its operator is one of defining."
  (let* ((place (after-blanks (1+ start)))
         (end (end-of-token place))
         (operator (and (> end place) (parse-token (subseq *text* place end)))))
    (cond ((null operator) nil)
          ((and *generic* (string= operator "METHOD"))
           (make-mention :start start :operator ":METHOD" :name *generic* :name-end end :toplevel *toplevel*))
          ((and (> (length operator) 3) (string= "DEF" operator :end2 3))
           (let* ((name (after-blanks end))
                  (name-end (let ((*mentions* '())) (end-of-form name))))
             (make-mention :start start :operator operator :name (subseq *text* name name-end)
                           :name-end name-end :toplevel *toplevel*))))))

(defun look-through (text)
  "Return all mentions of TEXT in order, and a vector of where its top-level forms start.
A form that a conditional takes away is not counted, as it is not by the reader."
  (let ((*text* (coerce text 'simple-string))
        (*mentions* '())
        (*toplevel* 0)
        (*generic* nil)
        (starts (make-array 64 :adjustable t :fill-pointer 0)))
    (loop with at = 0
          do (setf at (after-blanks at))
             (unless (text-char at) (return))
             (multiple-value-bind (form counts)
                 (if (and (eql (text-char at) #\#) (find (text-char (1+ at)) "+-"))
                     (after-conditional at)
                     (values at t))
               (cond ((not counts) (setf at form))
                     ;; Conditionals may follow one another.
                     ((and (/= form at) (eql (text-char form) #\#)) (setf at form))
                     (t (vector-push-extend form starts)
                        (setf at (end-of-form form))
                        (incf *toplevel*)))))
    (values (nreverse *mentions*) starts)))

;;; What a mention says of itself

(defun mentioned-names (mention)
  "Return the symbol names in the defined name: (\"FOO\"), (\"SETF\" \"FOO\"); of a structure only the first."
  (let ((name (mention-name mention)))
    (cond ((string= name "") '())
          ((char= (char name 0) #\()
           (let ((names (let ((*text* (coerce name 'simple-string))) (element-texts 1))))
             (mapcar #'parse-token
                     (if (equalp (first names) "setf") names (list (first names))))))
          ((char= (char name 0) #\") (list (string-trim "\"" name)))
          (t (list (parse-token name))))))

(defun written-signature (mention text)
  "Return qualifiers and specializers of the method MENTION in TEXT as a list of texts."
  (let* ((*text* (coerce text 'simple-string))
         (parts (element-texts (mention-name-end mention)))
         (list (position #\( parts :key (lambda (part) (char part 0)))))
    (when list
      (append (mapcar #'parse-token (subseq parts 0 list))
              (let ((*text* (coerce (nth list parts) 'simple-string)))
                (loop for part in (element-texts 1)
                      until (char= (char part 0) #\&)
                      collect (written-specializer part)))))))

(defun written-specializer (parameter)
  (if (char= (char parameter 0) #\()
      (let* ((*text* (coerce parameter 'simple-string))
             (specializer (or (second (element-texts 1)) "t")))
        (if (char= (char specializer 0) #\() "EQL" (parse-token specializer)))
      "T"))
