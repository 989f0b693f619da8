;;;; What each kind of object consists of, as the inspector shows it: a few lines about it, then its items.
;;;;
;;;; `anatomy` gives parts for the lines, a function that makes the parts of some of the items, and how many
;;;; items there are. Nothing is printed here: that is done for the lines of one page, within a time.

(in-package "DESCARTES-BOOT")

(defvar *nothing* (make-symbol "NOTHING") "Stands where a part has no object.")

(defstruct (part (:constructor make-part (label &key object key setter action action-text note)))
  "One line: LABEL, and what it leads to."
  label                                 ; a string
  (object *nothing*)                    ; what is printed behind the label and opened
  (key *nothing*)                       ; the key of an entry, printed before the object
  setter                                ; a function that puts another object there
  action                                ; a function whose value is :refresh, or (:show OBJECT)
  action-text
  note)                                 ; what stands in place of the object's text

(defun part (label object &rest more)
  (apply #'make-part label :object object more))

(defun line (control &rest arguments)
  (make-part (apply #'format nil control arguments)))

(defun action (text function)
  (make-part text :action function))

(defun documentation-lines (text)
  (when (stringp text)
    (cons (line "Documentation:") (text-lines text 40))))

(defun text-lines (text &optional (most 200))
  (with-input-from-string (in text)
    (loop for read = (read-line in nil)
          repeat most
          while read collect (line "  ~a" (subseq read 0 (min 400 (length read)))))))

(defun items-from (sequence function)
  "Return a function that makes the parts of items of SEQUENCE by FUNCTION, and how many there are."
  (let ((items (coerce sequence 'simple-vector)))
    (values (lambda (start count)
              (loop for index from start below (min (length items) (+ start count))
                    collect (funcall function (svref items index) index)))
            (length items))))

(defun anatomy-of (lines sequence function)
  (multiple-value-call #'values lines (items-from sequence function)))

(defun objects-of (lines objects &optional (label (lambda (object index) (declare (ignore object)) index)))
  (anatomy-of lines objects
              (lambda (object index) (part (princ-to-string (funcall label object index)) object))))

(defgeneric anatomy (object)
  (:documentation "Return the lines about OBJECT, a function (START COUNT) that makes parts, and their number.

The number is nil where it is not known; the function then gives fewer than COUNT at the end."))

(defmethod anatomy (object)
  (text-lines (with-output-to-string (out) (describe object out))))

;;; Slots

(defun of-the-lisp-p (object)
  "True for an object of the Lisp itself, which a careless change would break."
  (let* ((name (class-name (class-of object)))
         (package (and (symbolp name) (symbol-package name))))
    (and package (sb-ext:package-locked-p package) (not (typep object 'condition)))))

(defun slot-part (object slot)
  (let* ((name (sb-mop:slot-definition-name slot))
         (shared (eq (sb-mop:slot-definition-allocation slot) :class))
         (label (format nil "~a~:[~; (shared)~]" (symbol-name name) shared))
         (setter (unless (of-the-lisp-p object)
                   (lambda (new) (setf (slot-value object name) new)))))
    (handler-case
        (if (slot-boundp object name)
            (part label (slot-value object name)
                  :setter setter
                  :action (unless (or (null setter) (typep object 'structure-object))
                            (lambda () (slot-makunbound object name) :refresh))
                  :action-text "make unbound")
            (make-part label :note "(unbound)" :setter setter))
      (serious-condition (condition)
        (make-part label :object condition :note "(cannot be read)" :setter setter)))))

(defun slots-anatomy (object lines)
  (let ((class (class-of object)))
    (unless (sb-mop:class-finalized-p class) (ignore-errors (sb-mop:finalize-inheritance class)))
    (anatomy-of (append lines (list (part "Class" class)))
                (ignore-errors (sb-mop:class-slots class))
                (lambda (slot index) (declare (ignore index)) (slot-part object slot)))))

(defmethod anatomy ((object standard-object)) (slots-anatomy object '()))
(defmethod anatomy ((object structure-object)) (slots-anatomy object '()))

(defmethod anatomy ((object condition))
  (slots-anatomy object (cons (line "Message:") (text-lines (condition-text object) 20))))

;;; Lists

(defconstant +conses-counted+ 20000000)

(defun list-shape (list)
  "Return :proper, :dotted, :circular or :long, how many conses LIST has, and at which one a circle begins."
  (loop with power = 1
        with steps = 0
        with slow = list
        for fast = (cdr list) then (cdr fast)
        for conses from 1 below +conses-counted+
        do (cond ((null fast) (return (values :proper conses nil)))
                 ((atom fast) (return (values :dotted conses nil)))
                 ((eq fast slow) (return (circle list (1+ steps)))))
           (when (= (incf steps) power)
             (setf slow fast
                   steps 0
                   power (* 2 power)))
        finally (return (values :long conses nil))))

(defun circle (list period)
  "Return what `list-shape` does for LIST, in which PERIOD conses repeat."
  (loop with ahead = (nthcdr period list)
        for start from 0
        until (eq list ahead)
        do (pop list) (pop ahead)
        finally (return (values :circular (+ start period) start))))

(defun list-items (list count)
  "Return a function for the first COUNT elements of LIST, which remembers where it was."
  (let ((at 0)
        (rest list))
    (lambda (start wanted)
      (when (< start at) (setf at 0 rest list))
      (loop while (< at start) do (pop rest) (incf at))
      (loop repeat (min wanted (- count start))
            collect (let ((cons rest))
                      (part (princ-to-string at) (car cons)
                            :setter (lambda (new) (setf (car cons) new))))
            do (pop rest) (incf at)))))

(defmethod anatomy ((object cons))
  (multiple-value-bind (kind count start) (list-shape object)
    (values (ecase kind
              (:proper (list (line "A list of ~:d element~:p" count)))
              (:dotted (list (line "A dotted list of ~:d cons~:*~[es~;~:;es~]" count)
                             (let ((last (last object)))
                               (part (if (= count 1) "cdr" "Last cdr") (cdr last)
                                     :setter (lambda (new) (setf (cdr last) new))))))
              (:circular (list (line "A circular list: after ~:d element~:p it goes on with element ~:d"
                                     count start)))
              (:long (list (line "A list of more than ~:d elements" count))))
            (list-items object count)
            count)))

;;; Arrays and strings

(defun array-lines (array)
  (append
   (list (line "Dimensions ~a, elements of type ~(~s~)" (array-dimensions array) (array-element-type array)))
   (when (array-has-fill-pointer-p array) (list (line "Fill pointer ~d" (fill-pointer array))))
   (multiple-value-bind (target offset) (array-displacement array)
     (when target (list (part (format nil "Displaced by ~d to" offset) target))))))

(defun subscripts-text (array index)
  (if (= (array-rank array) 1)
      (princ-to-string index)
      (loop with subscripts = '()
            for dimension in (reverse (array-dimensions array))
            do (multiple-value-bind (rest subscript) (floor index dimension)
                 (push subscript subscripts)
                 (setf index rest))
            finally (return (format nil "(~{~d~^ ~})" subscripts)))))

(defmethod anatomy ((object array))
  (let ((size (if (vectorp object) (length object) (array-total-size object))))
    (values (array-lines object)
            (lambda (start count)
              (loop for index from start below (min size (+ start count))
                    collect (let ((index index))
                              (part (subscripts-text object index) (row-major-aref object index)
                                    :setter (lambda (new) (setf (row-major-aref object index) new))))))
            size)))

(defconstant +string-line+ 200)

(defun string-line-end (string start)
  "Return where a line of STRING at START ends and where the next one begins."
  (let* ((most (min (length string) (+ start +string-line+)))
         (newline (position #\Newline string :start start :end most)))
    (if newline (values newline (1+ newline)) (values most most))))

(defun line-starts (string)
  "Return a function that says where line N of STRING starts, or nil; it remembers what it has looked at."
  (let ((starts (make-array 128 :adjustable t :fill-pointer 0)))
    (vector-push-extend 0 starts)
    (lambda (number)
      (loop for last = (aref starts (1- (fill-pointer starts)))
            while (and (>= number (fill-pointer starts)) (< last (length string)))
            do (vector-push-extend (nth-value 1 (string-line-end string last)) starts))
      (and (< number (fill-pointer starts))
           (< (aref starts number) (length string))
           (aref starts number)))))

(defmethod anatomy ((object string))
  (let ((line-start (line-starts object)))
    (values (cons (line "A string of ~:d character~:p" (length object)) (rest (array-lines object)))
            (lambda (start count)
              (loop for number from start
                    repeat count
                    for place = (funcall line-start number)
                    while place
                    collect (line "  ~a" (subseq object place (string-line-end object place)))))
            nil)))

;;; Hash tables

(defun entry-part (table key value)
  (make-part "" :object value :key key
                :setter (lambda (new) (setf (gethash key table) new))
                :action (lambda () (remhash key table) :refresh)
                :action-text "remove"))

(defun entry-parts (table start count)
  (let ((skipped 0)
        (parts '()))
    (with-hash-table-iterator (next table)
      (loop (multiple-value-bind (more key value) (next)
              (cond ((or (not more) (zerop count)) (return (nreverse parts)))
                    ((< skipped start) (incf skipped))
                    (t (decf count)
                       (push (entry-part table key value) parts))))))))

(defmethod anatomy ((object hash-table))
  (values (list (line "~:d entr~:@p, test ~(~s~)~@[, weakness ~(~s~)~]~:[~;, synchronized~]"
                      (hash-table-count object) (hash-table-test object)
                      (sb-ext:hash-table-weakness object) (sb-ext:hash-table-synchronized-p object))
                (action "[remove all entries]" (lambda () (clrhash object) :refresh)))
          (lambda (start count)
            (if (sb-ext:hash-table-synchronized-p object)
                (sb-ext:with-locked-hash-table (object) (entry-parts object start count))
                (entry-parts object start count)))
          (hash-table-count object)))

;;; Symbols and packages

(defun symbol-value-part (symbol)
  (let ((setter (unless (constantp symbol) (lambda (new) (setf (symbol-value symbol) new)))))
    (if (boundp symbol)
        (part (if (constantp symbol) "Constant" "Value") (symbol-value symbol)
              :setter setter
              :action (when setter (lambda () (makunbound symbol) :refresh))
              :action-text "make unbound")
        (make-part "Value" :note "(unbound)" :setter setter))))

(defun symbol-function-part (symbol)
  (when (fboundp symbol)
    (list (part (cond ((special-operator-p symbol) "Special operator")
                      ((macro-function symbol) "Macro")
                      (t "Function"))
                (or (macro-function symbol) (fdefinition symbol))
                :action (lambda () (fmakunbound symbol) :refresh)
                :action-text "make undefined"))))

(defun symbol-lines (symbol)
  (let ((package (symbol-package symbol)))
    `(,(part "Name" (symbol-name symbol))
      ,(if package (part "Package" package) (line "It has no package"))
      ,@(when package
          (list (line "~(~a~) there" (nth-value 1 (find-symbol (symbol-name symbol) package)))
                (action "[unintern]" (lambda () (unintern symbol package) :refresh))))
      ,(symbol-value-part symbol)
      ,@(symbol-function-part symbol)
      ,@(when (find-class symbol nil) (list (part "Class" (find-class symbol))))
      ,@(when (find-package symbol) (list (part "Names the package" (find-package symbol))))
      ,(part "Property list" (symbol-plist symbol) :setter (lambda (new) (setf (symbol-plist symbol) new)))
      ,@(loop for kind in '(function variable type)
              append (documentation-lines (documentation symbol kind))))))

(defmethod anatomy ((object symbol)) (symbol-lines object))

(defun package-symbols (package)
  "Return the external and the present symbols of PACKAGE, each sorted by name."
  (let ((external '())
        (present '()))
    (do-symbols (symbol package)
      (multiple-value-bind (found status) (find-symbol (symbol-name symbol) package)
        (declare (ignore found))
        (when (eq status :external) (pushnew symbol external))
        (when (member status '(:external :internal)) (push symbol present))))
    (flet ((sorted (symbols) (sort (remove-duplicates symbols) #'string< :key #'symbol-name)))
      (values (sorted external) (sorted present)))))

(defmethod anatomy ((object package))
  (multiple-value-bind (external present) (package-symbols object)
    (objects-of `(,(line "Name ~a~@[, nicknames ~{~a~^ ~}~]" (package-name object) (package-nicknames object))
                  ,(part "Uses" (package-use-list object))
                  ,(part "Used by" (package-used-by-list object))
                  ,(part "Local nicknames" (sb-ext:package-local-nicknames object))
                  ,(part "Shadowing symbols" (package-shadowing-symbols object))
                  ,(part (format nil "Present symbols (~:d)" (length present)) present)
                  ,(line "~:[Not locked~;Locked~]" (sb-ext:package-locked-p object))
                  ,@(documentation-lines (documentation object t))
                  ,(line "External symbols (~:d):" (length external)))
                external)))
