;;;; Breakpoints: at a function, by an encapsulation; at a form, by compiling its definition anew with the
;;;; form marked. SBCL's own breakpoints in compiled code are never used: several threads at one corrupt
;;;; the image.
;;;;
;;;; The text that is compiled is the text of the file. A form is marked after it was read, in the very cons
;;;; that the compiler knows the place of, so that every place stays what it is.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(break-at-function break-at-forms forget-breakpoint note-breakpoint breakpoint-counts)))

(defstruct breakpoint
  (id "" :type string)
  (note "" :type string)                ; the client's own, given back to the next client
  (hits 0 :type sb-ext:word)
  (enabled t)
  (title "")                            ; what is called or evaluated there
  (function-name nil)
  (condition nil)                       ; a form, or nil
  (wrapper nil))                        ; (LAMBDA-LIST . FUNCTION)

(defvar *breakpoints* (make-hash-table :test 'equal :synchronized t) "By id.")

(defun the-breakpoint (id)
  "Return the breakpoint ID; one that is not known any more stops nothing."
  (or (gethash id *breakpoints*)
      (make-breakpoint :id id :enabled nil)))

(defun note-breakpoint (id note)
  "Let the breakpoint ID have NOTE."
  (let ((breakpoint (gethash id *breakpoints*)))
    (when breakpoint (setf (breakpoint-note breakpoint) note))
    t))

;;; Stopping

(define-condition breakpoint-reached (condition)
  ((breakpoint :initarg :breakpoint :reader reached-breakpoint)
   (problem :initarg :problem :reader reached-problem))
  (:report (lambda (condition stream)
             (format stream "~a~@[~%Its condition failed: ~a~]"
                     (breakpoint-title (reached-breakpoint condition)) (reached-problem condition)))))

(define-condition function-breakpoint-reached (breakpoint-reached) ())

(defun breakpoint-entry (condition)
  "Return the id of the breakpoint that CONDITION is a stop at, else nil."
  (and (typep condition 'breakpoint-reached) (breakpoint-id (reached-breakpoint condition))))

(defun reach (breakpoint type problem)
  (sb-ext:atomic-incf (breakpoint-hits breakpoint))
  (let ((sb-debug:*stack-top-hint* (values (skip-frames (sb-di:top-frame) #'plumbing-frame-p))))
    (with-simple-restart (continue "Go on.")
      (invoke-debugger (make-condition type :breakpoint breakpoint :problem problem)))))

(defun holds-p (condition)
  "Return whether CONDITION, a function or nil, holds; when it fails, t and why."
  (if (null condition)
      t
      ;; No breakpoint stops in the condition of one.
      (let ((*in-debugger* t))
        (handler-case (and (funcall condition) t)
          (serious-condition (problem) (values t (condition-text problem)))))))

(declaim (notinline come-by))
(defun come-by (breakpoint type condition)
  "Stop at BREAKPOINT when CONDITION holds; never in the debugger's own work."
  (when (and (breakpoint-enabled breakpoint) (users-code-p))
    (multiple-value-bind (holds problem) (holds-p condition)
      (when holds
        (reach breakpoint type problem))))
  nil)

;;; Functions

(defstruct (default (:constructor default-of (form)))
  "Stands for the value of a parameter that was not given, where finding it could change something."
  form)

(defmethod print-object ((default default) stream)
  (print-unreadable-object (default stream)
    (format stream "default ~s" (default-form default))))

(defun parameter-of (item kind index)
  "Return (KIND NAME INIT SUPPLIED-P WHERE) of ITEM of a lambda list; WHERE is its keyword, or INDEX."
  (destructuring-bind (spec &optional init supplied-p) (if (consp item) item (list item))
    (let ((name (if (consp spec) (second spec) spec)))
      (list kind name init supplied-p
            (cond ((not (eq kind '&key)) index)
                  ((consp spec) (first spec))
                  (t (intern (symbol-name name) "KEYWORD")))))))

(defun parameters (lambda-list)
  "Return the required parameters of LAMBDA-LIST, the others as `parameter-of`, and how many are optional."
  (let ((required '()) (others '()) (kind :required) (count 0))
    (dolist (item lambda-list (values (nreverse required) (nreverse others) count))
      (let ((name (if (consp item) (if (consp (first item)) (second (first item)) (first item)) item)))
        (cond ((member item lambda-list-keywords) (setf kind item))
              ((or (null name) (not (symbolp name)) (constantp name)))
              ((eq kind :required) (push name required))
              ((member kind '(&optional &key &rest &body sb-int:&more))
               (push (parameter-of item kind count) others)
               (when (eq kind '&optional) (incf count))))))))

(defun key-given (keyword arguments)
  "Return the rest of ARGUMENTS that begins with KEYWORD, nil when it is not given."
  (loop for rest = arguments then (cddr rest)
        while (and (consp rest) (consp (cdr rest)))
          thereis (and (eq (car rest) keyword) rest)))

(defvar *harmless*
  '(+ - * 1+ 1- list list* cons vector length car cdr first second rest not null identity float
    get-universal-time make-hash-table make-array string)
  "Functions whose calls change nothing.")

(defun harmless-p (form)
  "True when FORM can be evaluated once more without changing anything."
  (or (atom form)
      (member (first form) '(quote function))
      (and (member (first form) *harmless*) (listp (cdr form)) (every #'harmless-p (rest form)))))

(defun mentions-p (symbol form)
  (or (eq symbol form)
      (and (consp form)
           (or (mentions-p symbol (car form)) (mentions-p symbol (cdr form))))))

(defun with-defaults (parameters condition)
  "Return PARAMETERS, each with the form of the value that it has here when it is not given."
  (let ((needed (list condition)) (found '()))
    (dolist (parameter (reverse parameters) found)
      (destructuring-bind (kind name init supplied-p where) parameter
        (declare (ignore kind supplied-p where))
        (let ((evaluated (or (mentions-p name needed) (harmless-p init))))
          (when evaluated (push init needed))
          (push (append parameter
                        (list (cond ((constantp init) init)
                                    (evaluated `(handler-case ,init (error () (default-of ',init))))
                                    (t `(default-of ',init)))))
                found))))))

(defun without-defaults (parameters)
  (loop for parameter in parameters
        collect (append parameter (list `(default-of ',(third parameter))))))

(defun bindings-of (parameter count)
  "Return what binds PARAMETER, one of `with-defaults`, from the list %REST after the COUNT optional ones."
  (destructuring-bind (kind name init supplied-p where default) parameter
    (declare (ignore init))
    (let ((given (if (eq kind '&key) `(key-given ',where (nthcdr ,count %rest)) `(nthcdr ,where %rest)))
          (rest (gensym)))
      (if (member kind '(&optional &key))
          `((,name (let ((,rest ,given))
                     (if ,rest (,(if (eq kind '&key) 'second 'first) ,rest) ,default)))
            ,@(and supplied-p `((,supplied-p (and ,given t)))))
          `((,name (nthcdr ,count %rest)))))))

(declaim (notinline keep))
(defun keep (&rest variables)
  "Do nothing: VARIABLES are there until now."
  (declare (ignore variables))
  nil)

(defun wrapper-source (breakpoint lambda-list condition defaults)
  "Return a function of the same name that stops, with the parameters as its variables.

DEFAULTS: whether those that are not given have the values of the forms in LAMBDA-LIST, where possible."
  (multiple-value-bind (required others count) (parameters lambda-list)
    (let* ((others (if defaults (with-defaults others condition) (without-defaults others)))
           (bindings (loop for each in others append (bindings-of each count)))
           (names (append required (mapcar #'first bindings))))
      `(sb-int:named-lambda ,(breakpoint-function-name breakpoint) (,@required &rest %rest)
         (declare (optimize (debug 3) (sb-c:insert-step-conditions 0)) (ignorable ,@required %rest))
         (let* ,bindings
           (declare (ignorable ,@(mapcar #'first bindings)))
           (come-by ',breakpoint 'function-breakpoint-reached
                    ,(and condition `(lambda () (declare (ignorable ,@names)) ,condition)))
           ;; The compiler drops what nobody needs any more.
           (keep ,@names)
           '%go-on)))))

(defvar *wrapped* (make-hash-table :test 'eq :synchronized t :weakness :key)
  "By wrapper: the name of the function it stands for.")

(defun breakpoint-function-at (frame)
  "Return the function whose call FRAME shows because of a breakpoint, else nil."
  (let ((name (gethash (sb-di:debug-fun-fun (sb-di:frame-debug-fun frame)) *wrapped*)))
    (and name (fboundp name) (fdefinition name))))

(defun function-location (function)
  "Return where FUNCTION is defined, as Swank says it, or nil."
  (handler-case
      (second (first (swank/backend:find-definitions (sb-kernel:%fun-name function))))
    (serious-condition () nil)))

(defun wrong-p (problem)
  "True for what of the compiler's remarks makes the code wrong."
  (or (not (typep problem 'style-warning))
      (eql 0 (search "undefined" (condition-text problem)))))

(defun problems-of (function)
  "Call FUNCTION, which compiles; return its value and what makes the code wrong, as texts."
  (let ((problems '()))
    ;; Printed afterwards: the compiler cannot be entered again from its own handlers.
    (values (block compiling
              (handler-bind ((sb-ext:compiler-note #'muffle-warning)
                             (sb-c:compiler-error (lambda (problem) (push problem problems)))
                             (warning (lambda (warning)
                                        (push warning problems)
                                        (muffle-warning warning)))
                             ;; A form that is no form may be more than the compiler bears.
                             (sb-int:bug (lambda (problem)
                                           (push problem problems)
                                           (return-from compiling nil))))
                (without-compiler-chatter (funcall function))))
            (loop for problem in (nreverse problems)
                  when (wrong-p problem)
                    collect (condition-text problem)))))

(defun compiled-wrapper (breakpoint lambda-list condition defaults)
  (problems-of (lambda ()
                 (with-compilation-unit (:override t)
                   (compile nil (wrapper-source breakpoint lambda-list condition defaults))))))

(defun make-wrapper (breakpoint lambda-list condition)
  "Return a wrapper and what is wrong with CONDITION."
  (multiple-value-bind (function problems) (compiled-wrapper breakpoint lambda-list condition t)
    (when problems
      ;; A default may use what is around its definition only.
      (setf (values function problems) (compiled-wrapper breakpoint lambda-list condition nil)))
    (setf (gethash function *wrapped*) (breakpoint-function-name breakpoint))
    (values function problems)))

(defvar *compiling-seconds* 10 "What the compilation for a breakpoint may take; a macro may never end.")

(defun wrapper-in-time (breakpoint lambda-list condition)
  "Return what `make-wrapper` does, or nil and why it took too long."
  (let ((found (call-within *compiling-seconds*
                            (lambda ()
                              (multiple-value-list (make-wrapper breakpoint lambda-list condition))))))
    (if (eq found :late)
        (values nil (list (format nil "that took longer than ~a s" *compiling-seconds*)))
        (values-list found))))

(defun parameters-of (name function)
  "Return the lambda list of FUNCTION, the definition of NAME."
  (let ((definition (and (fboundp name) (fdefinition name))))
    (if (typep definition 'generic-function)
        (sb-mop:generic-function-lambda-list definition)
        (sb-kernel:%fun-lambda-list function))))

(defun wrapper-for (breakpoint function)
  "Return the wrapper of BREAKPOINT that fits FUNCTION, which may have been redefined with other parameters."
  (let ((lambda-list (parameters-of (breakpoint-function-name breakpoint) function))
        (known (breakpoint-wrapper breakpoint)))
    (unless (and known (equal lambda-list (car known)))
      (setf known (cons lambda-list (make-wrapper breakpoint lambda-list (breakpoint-condition breakpoint)))
            (breakpoint-wrapper breakpoint) known))
    (cdr known)))

(defun definition-now (breakpoint function before)
  "Return what to call after a stop: FUNCTION, unless its name was given another definition than BEFORE."
  (let* ((name (breakpoint-function-name breakpoint))
         (now (and (fboundp name) (fdefinition name))))
    (if (or (null now) (eq now before) (typep now 'generic-function))
        function
        now)))

(defun encapsulation-of (breakpoint)
  (let ((name (breakpoint-function-name breakpoint)))
    (sb-int:named-lambda call-through-breakpoint (function &rest arguments)
      (if (and (breakpoint-enabled breakpoint) (users-code-p))
          (let* ((before (and (fboundp name) (fdefinition name)))
                 (results (multiple-value-list (apply (wrapper-for breakpoint function) arguments))))
            (if (eq (first results) '%go-on)
                (apply (definition-now breakpoint function before) arguments)
                (values-list results)))
          (apply function arguments)))))

(defun why-no-breakpoint (name)
  "Return why the function NAME can have no breakpoint, else nil."
  (let* ((symbol (if (consp name) (second name) name))
         (package (and (symbolp symbol) (symbol-package symbol))))
    (cond ((not (sb-int:legal-fun-name-p name))
           (format nil "expected the name of a function, got ~s" name))
          ((and (symbolp name) (special-operator-p name))
           (format nil "~s is a special operator; set the breakpoint at a form that uses it" name))
          ((and (symbolp name) (macro-function name))
           (format nil "~s is a macro, which is gone when its code runs; set the breakpoint at a form" name))
          ((and package (or (eq package (find-package "COMMON-LISP"))
                            (eql 0 (search "SB-" (package-name package)))
                            (member (package-name package) *plumbing-packages* :test #'string=)))
           (format nil "~s is of the Lisp itself; set the breakpoint in your code that calls it" name)))))

(defun reading-package-of (name)
  (let* ((symbol (if (consp name) (second name) name)))
    (or (symbol-package symbol) *package*)))

(defun read-whole (text what)
  "Return the one form of TEXT, which is WHAT."
  (with-input-from-string (in text)
    (let ((form (handler-case (read in)
                  (end-of-file () (error "expected ~a as one whole form, got ~a" what text)))))
      (unless (eq (read in nil in) in)
        (error "expected ~a as one form, got more: ~a" what text))
      form)))

(defun read-condition (text package)
  "Return a form that is true where the form TEXT is, nil for no text."
  (and text
       (let ((*package* package))
         `(progn ,(read-whole text "the condition")))))

(defun full-name (name)
  "Return NAME as it is read in any package."
  (let ((*package* (find-package "KEYWORD")))
    (prin1-to-string name)))

(defun install-function-breakpoint (id note name condition-text)
  "Return (:ok VERIFIED MESSAGE LOCATION)."
  (let ((reason (why-no-breakpoint name)))
    (cond (reason (list :ok nil reason nil))
          ((not (fboundp name))
           (list :ok :pending (format nil "~s is not defined yet; the breakpoint is set when it is" name) nil))
          (t (let* ((condition (read-condition condition-text (reading-package-of name)))
                    (breakpoint (make-breakpoint :id id :note note :function-name name :condition condition
                                                 :title (format nil "~s is called" name)))
                    (lambda-list (parameters-of name (fdefinition name))))
               (multiple-value-bind (wrapper problems) (wrapper-in-time breakpoint lambda-list condition)
                 (cond (problems
                        (list :ok nil (format nil "the condition ~a cannot be compiled: ~a"
                                              condition-text (first problems))
                              (function-location (fdefinition name))))
                       (t (setf (breakpoint-wrapper breakpoint) (cons lambda-list wrapper)
                                (gethash id *breakpoints*) breakpoint)
                          (sb-int:encapsulate name breakpoint (encapsulation-of breakpoint))
                          (list :ok t nil (function-location (fdefinition name)))))))))))

(defun break-at-function (id note text condition client package)
  "Stop where the function named TEXT is called and CONDITION, text or nil, holds.

Returns (:ok VERIFIED MESSAGE LOCATION NAME)."
  (forget-breakpoint id)
  (or-invalid
    (call-with-client client (named-package package)
                      (lambda ()
                        (let ((name (let ((*read-eval* nil)) (read-whole text "the name of a function"))))
                          (append (install-function-breakpoint id note name condition)
                                  (list (full-name name))))))))

(defun forget-breakpoint (id)
  "Let the breakpoint ID stop nothing more; true when there was one."
  (let ((breakpoint (gethash id *breakpoints*)))
    (when breakpoint
      (setf (breakpoint-enabled breakpoint) nil)
      (remhash id *breakpoints*)
      (let ((name (breakpoint-function-name breakpoint)))
        (when (and name (fboundp name))
          (sb-int:unencapsulate name breakpoint)))
      t)))

(defun breakpoint-counts ()
  "Return (ID HITS NOTE) of every breakpoint."
  (loop for breakpoint being the hash-values of *breakpoints*
        collect (list (breakpoint-id breakpoint) (breakpoint-hits breakpoint) (breakpoint-note breakpoint))))

;;; Forms

(defstruct spot
  id
  offset                                ; in octets of the text
  condition                             ; a form, or nil
  (form nil)                            ; the cons that was read there
  (placed nil)
  (expanded nil))                       ; true when the compiler came by: it is a form that is evaluated

(defvar *spots* '() "The spots of the text that is being compiled in this thread.")

(defun octets-before (text offset)
  (length (sb-ext:string-to-octets text :end (min offset (length text)) :external-format :utf-8)))

(defun marking-readtable ()
  "Return a copy of the readtable that remembers which list was read at which spot."
  (let* ((table (copy-readtable *readtable*))
         (read-list (get-macro-character #\( table)))
    (set-macro-character
     #\(
     (lambda (stream character)
       (let* ((position (and (typep stream 'sb-sys:fd-stream) (file-position stream)))
              (form (funcall read-list stream character))
              (spot (and position (find (1- position) *spots* :key #'spot-offset))))
         (when (and spot (consp form))
           (setf (spot-form spot) form))
         form))
     nil table)
    table))

(defun mark-spots ()
  "Mark the forms that were read. The compiler has noted by now which cons stands where."
  (dolist (spot *spots*)
    (let ((form (spot-form spot)))
      (when (and form (not (spot-placed spot)))
        (let ((copy (cons (car form) (cdr form))))
          (setf (spot-placed spot) t
                (car form) 'break-form
                (cdr form) (list (spot-id spot) copy)))))))

(defun marking-macroexpand-hook (hook)
  (lambda (expander form environment)
    (mark-spots)
    (funcall hook expander form environment)))

(defmacro break-form (id form)
  "Evaluate FORM, after a stop when the breakpoint ID wants one."
  (let ((spot (find id *spots* :key #'spot-id :test #'equal)))
    (when spot (setf (spot-expanded spot) t))
    `(progn
       (locally (declare (optimize (sb-c:insert-step-conditions 0)))
         (come-by (load-time-value (the-breakpoint ,id)) 'breakpoint-reached
                  ,(and spot (spot-condition spot) `(lambda () ,(spot-condition spot)))))
       ,form)))

(defun compile-marked (source fasl text file position)
  "Compile TEXT, written to SOURCE, to FASL with *SPOTS*; return whether all were met, and the problems."
  (dolist (spot *spots*)
    (setf (spot-form spot) nil (spot-placed spot) nil (spot-expanded spot) nil))
  (with-open-file (out source :direction :output :if-exists :supersede :external-format :utf-8)
    (write-string text out))
  (multiple-value-bind (output problems)
      (problems-of
       (lambda ()
         (let ((*readtable* (marking-readtable))
               (*macroexpand-hook* (marking-macroexpand-hook *macroexpand-hook*)))
           (with-compilation-unit (:override t
                                   :policy (and *spots* '(optimize (debug 3)))
                                   :source-plist (list :emacs-buffer (or file "*descartes*")
                                                       :emacs-filename file
                                                       :emacs-package (package-name *package*)
                                                       :emacs-position (1+ position)
                                                       :emacs-string text)
                                   :source-namestring file)
             (compile-file source :output-file fasl :external-format :utf-8)))))
    (values (and output (every #'spot-expanded *spots*)) problems)))

(defun load-compiled (fasl)
  (handler-bind ((warning #'muffle-warning))
    (without-compiler-chatter (load fasl))))

(defun spot-of (place package text)
  "Return the spot of PLACE, (ID OFFSET CONDITION): OFFSET in code points of TEXT."
  (destructuring-bind (id offset condition) place
    (make-spot :id id :offset (octets-before text offset) :condition (read-condition condition package))))

(defun place-new (spot offsets text compile plain-problems)
  "Return the first of OFFSETS that MARK can stand at by COMPILE, and nil; else nil and why there is none."
  (dolist (offset offsets
                  (values nil (if plain-problems
                                  (format nil "the definition does not compile: ~a" (first plain-problems))
                                  "there is no form here that is evaluated when the function runs")))
    (setf (spot-offset spot) (octets-before text offset))
    (when (funcall compile)
      (return (values offset nil)))))

(defun break-at-one-of (offsets text spots new condition plain-problems compile)
  "Place NEW beside SPOTS at the first fitting one of OFFSETS; return it, or nil and why there is none."
  (setf *spots* (append spots (list new)))
  (multiple-value-bind (offset why) (place-new new offsets text compile plain-problems)
    (when (and offset condition)
      (setf (spot-condition new) condition)
      (let ((more (set-difference (nth-value 1 (funcall compile)) plain-problems :test #'equal)))
        (when more
          (setf offset nil
                why (format nil "the condition cannot be compiled: ~a" (first more))))))
    (values offset why)))

(defun break-in-forms (text file position spots new offsets condition)
  "Compile and load TEXT with SPOTS and NEW at the first fitting one of OFFSETS; return (:ok OFFSET MESSAGE)."
  (let* ((fasl (scratch-fasl))
         (source (concatenate 'string (directory-namestring fasl) "form.lisp"))
         (*spots* spots))
    (flet ((compile-now () (compile-marked source fasl text file position)))
      (unwind-protect
           (let ((problems (nth-value 1 (compile-now))) (offset nil) (why nil))
             (when new
               (setf (values offset why)
                     (break-at-one-of offsets text spots new condition problems #'compile-now)))
             (when (or offset (null new))
               (load-compiled fasl))
             (list :ok offset why))
        (ignore-errors (sb-ext:delete-directory (directory-namestring fasl) :recursive t))))))

(defun break-in-forms-in-time (&rest arguments)
  "Return what `break-in-forms` does with ARGUMENTS, or why it was given up."
  (let ((found (call-within *compiling-seconds* (lambda () (apply #'break-in-forms arguments)))))
    (if (eq found :late)
        (list :ok nil (format nil "compiling its definition took longer than ~a s and was given up"
                              *compiling-seconds*))
        found)))

(defun break-at-forms (client text file position package places new)
  "Compile TEXT, which stands in FILE at POSITION, anew with breakpoints, and load it.

PLACES: (ID OFFSET CONDITION) of those that stand there already. NEW: (ID NOTE OFFSETS CONDITION TITLES) of
one more, at the first of OFFSETS that is evaluated, or nil. Returns (:ok OFFSET MESSAGE)."
  (or-invalid
    (call-with-client
     client (named-package package)
     (lambda ()
       (let ((spots (loop for place in places collect (spot-of place *package* text))))
         (if (null new)
             (break-in-forms-in-time text file position spots nil '() nil)
             (destructuring-bind (id note offsets condition titles) new
               ;; Known before it is loaded: the code that is loaded looks for it.
               (let* ((form (read-condition condition *package*))
                      (breakpoint (make-breakpoint :id id :note note))
                      (old (shiftf (gethash id *breakpoints*) breakpoint))
                      (answer (break-in-forms-in-time text file position spots
                                                      (make-spot :id id) offsets form))
                      (index (position (second answer) offsets)))
                 (when old
                   (setf (breakpoint-enabled old) nil
                         (breakpoint-hits breakpoint) (breakpoint-hits old)))
                 (if index
                     (setf (breakpoint-title breakpoint) (nth index titles))
                     (forget-breakpoint id))
                 answer))))))))
