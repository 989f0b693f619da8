;;;; Which text of each definition this image has: every text that a client compiles or evaluates leaves a
;;;; mark, the digest of it beside what it made. A definition that nobody saw come has none.
;;;;
;;;; What a text is, and its digest, are the client's to say; here it is only remembered, as long as the image
;;;; lives, and held against what the image has now: what replaces a definition unseen makes its mark void.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(marking marking-at-once mark-states mark-file marked-files follow-files in-load-order)))

(defclass mark ()
  ((digest :initarg :digest :reader mark-digest)
   (value :initarg :value :reader mark-value :documentation "The digest of a variable's initial value.")
   (package :initarg :package :reader mark-package)
   (file :initarg :file :reader mark-file-name)
   (witnesses :initarg :witnesses :accessor mark-witnesses :documentation "Weak pointers to what it made.")
   (tick :initarg :tick :reader mark-tick)
   (unit :initarg :unit :reader mark-unit)))

(defvar *marks* (make-hash-table :test 'equal) "By key: the mark of the text that was loaded last.")
(defvar *marks-lock* (sb-thread:make-mutex :name "descartes marks"))
(defvar *tick* 0 "Counts what was loaded, so that late news of an earlier load is known as such.")

;;; Units: definitions as a client describes them

(defun unit (description)
  "Return DESCRIPTION, as `descartes_swank.marks` tells of it, as a list."
  (flet ((part (part) (if (stringp part) part (coerce part 'list))))
    (map 'list (lambda (part) (if (vectorp part) (part part) part)) description)))

(defun unit-space (unit) (first unit))
(defun unit-operator (unit) (second unit))
(defun unit-name (unit) (third unit))
(defun unit-qualifiers (unit) (fifth unit))
(defun unit-specializers (unit) (sixth unit))
(defun unit-guard (unit) (seventh unit))
(defun unit-digest (unit) (eighth unit))
(defun unit-value (unit) (ninth unit))
(defun unit-keeps-p (unit) "True when evaluating it leaves a bound variable alone." (tenth unit))
(defun unit-certain-p (unit) "True when it stands at top level, where it cannot be passed over." (nth 10 unit))

(defun unit-package (unit default)
  (let ((designator (fourth unit)))
    (if designator (swank::guess-package designator) default)))

(defun written-symbol (text package)
  "Return the symbol that TEXT names in PACKAGE, in a list; nil when there is none. Nothing is interned."
  (multiple-value-bind (symbol found) (ignore-errors (swank::parse-symbol text package))
    (and found (list symbol))))

(defun written-words (text)
  (loop with start = 0
        for begin = (position-if-not #'blank-character-p text :start start)
        while begin
        collect (subseq text begin (setf start (or (position-if #'blank-character-p text :start begin)
                                                   (length text))))))

(defun blank-character-p (character)
  (member character '(#\Space #\Tab #\Newline #\Return #\Page #\( #\))))

(defun written-name (text package)
  "Return the name TEXT, a symbol or (SETF symbol), in a list; nil when nothing here has it."
  (if (and (plusp (length text)) (char= (char text 0) #\())
      (let* ((words (written-words text))
             (symbol (and (= 2 (length words)) (string-equal "setf" (first words))
                          (written-symbol (second words) package))))
        (and symbol (list (list 'setf (first symbol)))))
      (written-symbol text package)))

(defun written-package (text)
  (or (find-package text) (find-package (string-upcase text))))

(defun canonical-specializer (text package)
  (let ((symbol (written-symbol text package)))
    (if symbol (first symbol) (string-upcase text))))

(defun unit-key (unit package)
  "Return what tells the definition UNIT from all others, or nil when it cannot exist here."
  (let ((space (unit-space unit))
        (name (and package (written-name (unit-name unit) package))))
    (cond ((string= space "package")
           (let ((found (written-package (unit-name unit))))
             (and found (list space (package-name found)))))
          ((string= space "other")
           (list space (string-upcase (unit-operator unit)) (or name (string-upcase (unit-name unit)))))
          ((null name) nil)
          ((string= space "method")
           (list space (first name) (mapcar #'string-upcase (unit-qualifiers unit))
                 (loop for text in (unit-specializers unit) collect (canonical-specializer text package))))
          (t (list space (first name))))))

;;; What the image has

(defun written-object (text package)
  "Return the object that TEXT, in an EQL specializer, means, and whether that can be told."
  (let ((symbol (written-symbol (string-left-trim "'" text) package)))
    (cond ((and symbol (or (char= (char text 0) #\') (not (boundp (first symbol)))))
           (values (first symbol) t))
          (symbol (values (symbol-value (first symbol)) t))
          (t (let ((*read-eval* nil) (*package* package))
               (ignore-errors (values (read-from-string text) t)))))))

(defun specializer-written-p (specializer text package)
  "True when TEXT means SPECIALIZER."
  (if (typep specializer 'class)
      (let ((symbol (written-symbol text package)))
        (and symbol (eq (class-name specializer) (first symbol))))
      (and (> (length text) 5) (string-equal "(eql " text :end2 5)
           (multiple-value-bind (object known)
               (written-object (string-trim " " (subseq text 5 (1- (length text)))) package)
             (and known (eql object (sb-mop:eql-specializer-object specializer)))))))

(defun written-method-of (function unit package)
  "Return the method of the generic FUNCTION that UNIT describes, or nil."
  (let ((qualifiers (mapcar #'string-upcase (unit-qualifiers unit)))
        (texts (unit-specializers unit)))
    (find-if (lambda (method)
               (let ((specializers (sb-mop:method-specializers method)))
                 (and (= (length texts) (length specializers))
                      (equal qualifiers (loop for each in (method-qualifiers method)
                                              collect (string-upcase (prin1-to-string each))))
                      (every (lambda (specializer text) (specializer-written-p specializer text package))
                             specializers texts))))
             (sb-mop:generic-function-methods function))))

(defun function-of (name)
  "Return the function or macro function called NAME without what is wrapped around it, or nil."
  (and (fboundp name)
       (or (and (symbolp name) (macro-function name))
           (ignore-errors (fdefinition name)))))

(defun function-witnesses (name)
  (let ((function (function-of name)))
    (cond ((null function) (values nil '()))
          ;; The same object whatever becomes of its definition.
          ((typep function 'generic-function)
           (values t (list (ignore-errors (sb-pcl::definition-source function)))))
          (t (values t (list function))))))

(defun method-witnesses (name unit package)
  (let* ((function (function-of name))
         (method (and (typep function 'generic-function) (written-method-of function unit package))))
    (values (and method t) (list method))))

(defun variable-witnesses (name unit)
  "A variable that a text gives a value is there when it has one: it may have been proclaimed, and no more."
  (values (or (boundp name)
              (let ((kind (sb-int:info :variable :kind name)))
                (or (member kind '(:constant :macro))
                    (and (equal (unit-value unit) "") (member kind '(:special :global)) t))))
          (list (ignore-errors (sb-int:info :source-location :variable name)))))

(defun type-witnesses (name)
  (let ((class (find-class name nil))
        (classoid (ignore-errors (sb-kernel:find-classoid name nil)))
        (expander (ignore-errors (sb-int:info :type :expander name))))
    (values (and (or class expander) t)
            (list (ignore-errors (sb-int:info :type :source-location name))
                  (and classoid (ignore-errors (sb-kernel::classoid-source-location classoid)))
                  (and class (ignore-errors (sb-pcl::definition-source class)))))))

(defun package-witnesses (text)
  (let ((package (written-package text)))
    (values (and package t)
            (list (and package (ignore-errors (sb-impl::package-source-location package)))))))

(defun single-witness (object)
  (values (and object t) (list object)))

(defun witnesses (unit package)
  "Return whether the image has a definition such as UNIT, and what stands for it there."
  (let* ((space (unit-space unit))
         (written (and package (written-name (unit-name unit) package)))
         (name (first written)))
    (flet ((space-p (text) (string= space text)))
      (cond ((space-p "package") (package-witnesses (unit-name unit)))
            ((space-p "other") (values nil '()))
            ((null written) (values nil '()))
            ((space-p "function") (function-witnesses name))
            ((space-p "method") (method-witnesses name unit package))
            ((space-p "compiler-macro") (single-witness (compiler-macro-function name)))
            ((consp name) (values nil '()))
            ((space-p "variable") (variable-witnesses name unit))
            ((space-p "type") (type-witnesses name))
            ((space-p "setf") (single-witness (sb-int:info :setf :expander name)))
            (t (values nil '()))))))

(defun bound-variable-p (unit package)
  (and (string= (unit-space unit) "variable")
       (let ((written (and package (written-name (unit-name unit) package))))
         (and written (symbolp (first written)) (boundp (first written))))))

;;; Marks

(defun keep-witnesses (objects)
  (mapcar #'sb-ext:make-weak-pointer objects))

(defun same-witnesses-p (kept objects)
  (and (= (length kept) (length objects))
       (every (lambda (pointer object) (eq (sb-ext:weak-pointer-value pointer) object)) kept objects)))

(defun valid-mark (unit package)
  "Return the mark of UNIT, and whether the image has such a definition; a void mark is none."
  (multiple-value-bind (exists objects) (witnesses unit package)
    (let* ((key (unit-key unit package))
           (mark (and key (gethash key *marks*)))
           (valid (and mark
                       (or exists (string= (unit-space unit) "other"))
                       (same-witnesses-p (mark-witnesses mark) objects))))
      (values (and valid mark) (or exists (and valid t))))))

(defun store-mark (unit package file tick &optional before)
  "Remember that the text of UNIT was loaded at TICK, unless a later one is known.
Without a FILE it goes on to be of the one that it was of BEFORE, its last mark."
  (let* ((key (unit-key unit package))
         (known (and key (gethash key *marks*))))
    (when (and key (or (null known) (<= (mark-tick known) tick)))
      (setf (gethash key *marks*)
            (make-instance 'mark :digest (unit-digest unit) :value (unit-value unit) :tick tick
                                 :file (or file (and before (mark-file-name before)))
                                 :package (and package (package-name package))
                                 :witnesses (keep-witnesses (nth-value 1 (witnesses unit package)))
                                 :unit unit)))))

(defun keep-mark (mark unit package)
  "Let MARK go on to be that of UNIT, a variable that was defined again and has kept its value."
  (when mark
    (setf (mark-witnesses mark) (keep-witnesses (nth-value 1 (witnesses unit package))))))

(defun keeps-value-p (unit mark)
  "True when the variable UNIT, which is bound, is given no new value by its text; MARK is that of its value."
  (and (unit-keeps-p unit)
       (not (and mark (equal (mark-value mark) (unit-value unit))))))

(defclass due ()
  ((unit :initarg :unit :reader due-unit)
   (default :initarg :default :reader due-default :documentation "The package where the unit names none.")
   (before :initarg :before :reader due-before)
   (mark :initarg :mark :reader due-mark)
   (kept :initarg :kept :reader due-kept :documentation "True when evaluating it will not change the value."))
  (:documentation "A definition that an evaluation is about to make."))

(defvar *expected* nil "(FILE UNITS) of the evaluation that is about to begin.")

(defun make-due (unit default)
  (let* ((package (unit-package unit default))
         (mark (valid-mark unit package)))
    (make-instance 'due :unit unit :default default :mark mark
                        :before (keep-witnesses (nth-value 1 (witnesses unit package)))
                        :kept (and (bound-variable-p unit package) (keeps-value-p unit mark)))))

(defun marking (file units function &rest arguments)
  "Call FUNCTION with ARGUMENTS, which evaluates; what of UNITS it makes is marked, in FILE or in nothing."
  (let ((*expected* (list file (mapcar #'unit units))))
    (apply function arguments)))

(defun due-marks (package)
  "Return what the evaluation that begins in PACKAGE is expected to make: (FILE . DUES)."
  (let ((expected (shiftf *expected* nil)))
    (ignore-errors
     (and expected
          (cons (first expected)
                (loop for unit in (second expected) collect (make-due unit package)))))))

(defun made-p (due package)
  "True when the definition is another one than before."
  (multiple-value-bind (exists objects) (witnesses (due-unit due) package)
    (and exists (not (same-witnesses-p (due-before due) objects)))))

(defun settle (due success file tick)
  (let* ((unit (due-unit due))
         (package (unit-package unit (due-default due))))
    (cond ((due-kept due) (keep-mark (due-mark due) unit package))
          ((or (and success (unit-certain-p unit)) (made-p due package)) (store-mark unit package file tick (due-mark due))))))

(defun settle-marks (marks success)
  "Mark what the evaluation with MARKS made: with SUCCESS all at top level, else what has changed."
  (when marks
    (ignore-errors
     (without-stopping (*marks-lock*)
       (let ((tick (incf *tick*)))
         (dolist (due (rest marks))
           (settle due success (first marks) tick)))))))

(defun mark-file (file tick units)
  "Mark UNITS, what FILE defined when it was loaded at TICK."
  (without-stopping (*marks-lock*)
    (loop for unit in (mapcar #'unit units)
          for package = (unit-package unit (find-package "COMMON-LISP-USER"))
          for known = (let ((key (unit-key unit package))) (and key (gethash key *marks*)))
          do (if (and known (keeps-value-p unit known))
                 (keep-mark known unit package)
                 (store-mark unit package file tick)))))

(defun marking-at-once (file units package function &rest arguments)
  "Call FUNCTION with ARGUMENTS, which compiles in PACKAGE and is no evaluation; mark what it makes."
  (let ((marks (let ((*expected* (list file (mapcar #'unit units))))
                 (due-marks (or (named-package package) (find-package "COMMON-LISP-USER"))))))
    (multiple-value-prog1 (apply function arguments)
      (settle-marks marks nil))))

;;; What clients ask

(defun guard-holds-p (guard)
  "True when the text GUARD, such as `+sbcl -(or a b)`, lets through what stands after it here."
  (or (null guard)
      (string= guard "")
      (let ((*package* (find-package "KEYWORD"))
            (*read-eval* nil))
        (handler-case
            (with-input-from-string (in guard)
              (loop for sign = (read-char in nil)
                    while sign
                    always (eq (and (sb-int:featurep (read-preserving-whitespace in)) t) (char= sign #\+))
                    do (peek-char t in nil)))
          (error () t)))))

(defun unit-state (unit)
  "Return (PRESENCE DIGEST SAME-PACKAGE) for UNIT; PRESENCE is :ABSENT for what is not for this Lisp."
  (if (guard-holds-p (unit-guard unit))
      (let ((package (unit-package unit (find-package "COMMON-LISP-USER"))))
        (multiple-value-bind (mark exists) (valid-mark unit package)
          (list (and exists t)
                (and mark (mark-digest mark))
                (and mark (equal (mark-package mark) (and package (package-name package))) t))))
      (list :absent nil nil)))

(defun removed-units (file units)
  "Return the marked units of FILE that the image has and UNITS has not: (SPACE OPERATOR NAME PACKAGE …)."
  (let ((keys (make-hash-table :test 'equal)))
    (dolist (unit units)
      (setf (gethash (unit-key unit (unit-package unit (find-package "COMMON-LISP-USER"))) keys) t))
    (loop for key being the hash-keys of *marks* using (hash-value mark)
          when (and (equal (mark-file-name mark) file)
                    (not (gethash key keys))
                    (not (equal (first key) "other"))
                    (valid-mark (mark-unit mark) (find-package (mark-package mark))))
            collect (destructuring-bind (space operator name package qualifiers specializers &rest rest)
                        (mark-unit mark)
                      (declare (ignore package rest))
                      (list space operator name (mark-package mark) qualifiers specializers)))))

(defun mark-states (file descriptions)
  "Return (STATES REMOVED SEEN) for the definitions that FILE describes now; SEEN: whether it left any mark."
  (let ((units (map 'list #'unit descriptions)))
    (without-stopping (*marks-lock*)
      (list (loop for unit in units
                  collect (or (ignore-errors (unit-state unit)) (list t nil nil)))
            (removed-units file units)
            (loop for mark being the hash-values of *marks*
                  thereis (equal (mark-file-name mark) file))))))

(defun marked-files ()
  "Return the files that left a mark."
  (without-stopping (*marks-lock*)
    (let ((files (make-hash-table :test 'equal)))
      (loop for mark being the hash-values of *marks*
            when (mark-file-name mark) do (setf (gethash (mark-file-name mark) files) t))
      (loop for file being the hash-keys of files collect file))))

;;; Files that ASDF loads

(defconstant +longest-file+ 4000000 "Octets of a file whose loading is told; a longer one stays unknown.")
(defconstant +unheard-files+ 2000)

(defvar *followed* nil "The folder whose files are told of, a text with a slash at its end.")
(defvar *unheard* '() "(TICK FILE TEXT) of files that were loaded while no client listened, newest first.")

(defun file-contents (file)
  (with-open-file (in file :element-type '(unsigned-byte 8))
    (when (<= (file-length in) +longest-file+)
      (let ((octets (make-array (file-length in) :element-type '(unsigned-byte 8))))
        (read-sequence octets in)
        (handler-case (sb-ext:octets-to-string octets :external-format :utf-8)
          (error () (sb-ext:octets-to-string octets :external-format :latin-1)))))))

(defun tell-loaded (file)
  "Tell a client that FILE was loaded, and its text, when it lies in the folder that is followed."
  (let* ((name (sb-ext:native-namestring (truename file)))
         (followed *followed*)
         (text (and followed
                    (> (length name) (length followed))
                    (string= followed name :end2 (length followed))
                    (file-contents name))))
    (when text
      (let ((news (list (without-stopping (*marks-lock*) (incf *tick*)) name text))
            (session (find-if #'session-live-p *sessions*)))
        (unless (and session (apply #'deliver session :loaded news))
          (when (< (length *unheard*) +unheard-files+) (push news *unheard*)))))))

(defun load-and-tell (perform operation component)
  "Call PERFORM, by which ASDF loads the file COMPONENT, and tell of it."
  (multiple-value-prog1 (funcall perform operation component)
    (ignore-errors
     (tell-loaded (funcall (find-symbol "COMPONENT-PATHNAME" "ASDF") component)))))

(defun follow-files (folder)
  "From now on tell of files below FOLDER; return those that were loaded while nobody listened."
  (setf *followed* folder)
  (dolist (name '("PERFORM-LISP-LOAD-FASL" "PERFORM-LISP-LOAD-SOURCE"))
    (let ((symbol (and (find-package "ASDF/LISP-ACTION") (find-symbol name "ASDF/LISP-ACTION"))))
      (when (and symbol (fboundp symbol) (not (sb-int:encapsulated-p symbol 'load-and-tell)))
        (sb-int:encapsulate symbol 'load-and-tell #'load-and-tell))))
  (reverse (shiftf *unheard* '())))
;;; The order in which files are loaded

(defun asdf-call (name &rest arguments)
  (apply (find-symbol name "ASDF") arguments))

(defun systems-defined-in (definitions)
  "Return the systems that the files DEFINITIONS define; one that cannot be read defines none."
  (dolist (file definitions)
    (let ((name (pathname-name file)))
      (unless (asdf-call "REGISTERED-SYSTEM" name)
        (ignore-errors (handler-bind ((warning #'muffle-warning)) (asdf-call "LOAD-ASD" (pathname file)))))))
  (loop for name in (asdf-call "REGISTERED-SYSTEMS")
        for system = (asdf-call "REGISTERED-SYSTEM" name)
        for source = (asdf-call "SYSTEM-SOURCE-FILE" system)
        when (and source (member (sb-ext:native-namestring source) definitions :test #'string=))
          collect system))

(defun files-in-order (system)
  "Return the files of SYSTEM in the order in which they are loaded."
  (ignore-errors
   (loop for component in (asdf-call "REQUIRED-COMPONENTS" system
                                     :goal-operation (find-symbol "LOAD-OP" "ASDF") :keep-operation
                                     (find-symbol "LOAD-OP" "ASDF") :other-systems nil)
         for path = (asdf-call "COMPONENT-PATHNAME" component)
         when (and path (pathname-name path) (probe-file path))
           collect (sb-ext:native-namestring (truename path)))))

(defun names-needed (system)
  (loop for each in (ignore-errors (asdf-call "SYSTEM-DEPENDS-ON" system))
        when (stringp each) collect each))

(defun sorted-systems (systems)
  "Return SYSTEMS, each after those that it depends on."
  (let ((sorted '()))
    (labels ((visit (system path)
               (unless (or (member system sorted) (member system path))
                 (dolist (name (names-needed system))
                   (let ((other (find name systems :test #'string-equal
                                                   :key (lambda (each) (asdf-call "COMPONENT-NAME" each)))))
                     (when other (visit other (cons system path)))))
                 (push system sorted))))
      (dolist (system systems) (visit system '()))
      (reverse sorted))))

(defun in-load-order (files definitions)
  "Return FILES as the systems of the files DEFINITIONS load them, then those that none of them has."
  (let ((order (and (find-package "ASDF")
                    (ignore-errors
                     (loop for system in (sorted-systems (systems-defined-in definitions))
                           append (files-in-order system))))))
    (append (remove-duplicates (remove-if-not (lambda (file) (member file files :test #'string=)) order)
                               :test #'string= :from-end t)
            (remove-if (lambda (file) (member file order :test #'string=)) files))))
