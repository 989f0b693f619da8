;;;; Inspections: windows on objects, each of one client, with a history, pages, and parts to open or set.
;;;;
;;;; Swank's inspector is never used: it is one for the whole image. Everything here ends within a time and
;;;; without a stop, whatever the objects' own code does.

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(inspector-open inspector-open-stopped inspector-do inspector-list inspect-text)))

(defconstant +inspections-per-client+ 20)
(defconstant +history-length+ 100)
(defconstant +page+ 100)
(defconstant +longest-page+ 10000)
(defconstant +value-octets+ 1000)
(defconstant +page-octets+ 4000000 "Swank's own limit for a message is 16 MiB.")
(defconstant +title-octets+ 400)

(defparameter *value-seconds* 1/4 "What printing one object may take.")
(defparameter *page-seconds* 3 "What printing all objects of a page may take.")

(defclass view ()
  ((object :initarg :object :reader view-object)
   (lines :initarg :lines :reader view-lines)
   (items :initarg :items :reader view-items)
   (count :initarg :count :reader view-count :documentation "Of items; nil where that is not known.")
   (shown :initform 0 :accessor view-shown :documentation "Items shown so far.")
   (more :initform nil :accessor view-more)
   (parts :initform (make-hash-table) :reader view-parts :documentation "By number: those on the screen."))
  (:documentation "One object as an inspection shows it."))

(defclass inspection ()
  ((id :initarg :id :reader inspection-id)
   (owner :initarg :owner :reader inspection-owner)
   (client :initarg :client :reader inspection-client)
   (package :initarg :package :reader inspection-package)
   (views :initform '() :accessor inspection-views :documentation "This one and those before it.")
   (ahead :initform '() :accessor inspection-ahead :documentation "Those that one came back from.")
   (numbers :initform 0 :accessor inspection-numbers)
   (lock :initform (sb-thread:make-mutex :name "descartes inspection") :reader inspection-lock)))

(defvar *inspections* '() "Of all clients, newest first.")
(defvar *inspections-lock* (sb-thread:make-mutex :name "descartes inspections"))

(defun inspection-view (inspection)
  (first (inspection-views inspection)))

;;; What ends in time

(defvar *page-end* nil "When no more objects are printed, in internal real time.")

(defun seconds-left ()
  (if *page-end*
      (max 0 (/ (- *page-end* (get-internal-real-time)) internal-time-units-per-second))
      *value-seconds*))

(defun on-one-line (text)
  "Return TEXT without characters that would begin a line or cannot be seen."
  (map 'string
       (lambda (char)
         (cond ((char= char #\Newline) #\↵)
               ((graphic-char-p char) char)
               ((char= char #\Tab) #\Space)
               (t #\·)))
       text))

(defun class-text (object)
  (or (ignore-errors (values (printed-value (class-name (class-of object)) 200))) "object"))

(defun quick-text (object room)
  "Return OBJECT printed on one line of at most ROOM octets, whatever its printing does."
  (let* ((seconds (min *value-seconds* (seconds-left)))
         (text (if (plusp seconds)
                   (call-within seconds (lambda () (or-invalid (values (printed-value object room)))))
                   :late)))
    (cond ((stringp text) (on-one-line text))
          ((eq text :late) (format nil "#<~a that takes too long to print>" (class-text object)))
          (t (format nil "#<~a that cannot be printed: ~a>" (class-text object)
                     (on-one-line (second text)))))))

(defvar *value-octets* +value-octets+ "What one object may take in the page that is made.")

(defun part-text (part)
  (flet ((printed (object)
           (if (eq object *nothing*) nil (quick-text object *value-octets*))))
    (let ((key (printed (part-key part)))
          (value (or (part-note part) (printed (part-object part))))
          (label (on-one-line (part-label part))))
      (cond (key (format nil "~a → ~a" key value))
            ((equal value "") label)
            (value (format nil "~@[~a = ~]~a" (and (string/= label "") label) value))
            (t label)))))

;;; Pages

(defun make-view (object package)
  (multiple-value-bind (lines items count) (let ((*package* package)) (anatomy object))
    (make-instance 'view :object object :lines lines :items (or items (constantly '()))
                         :count (if items count 0))))

(defun next-items (view count)
  "Return the parts of the next COUNT items of VIEW, and take note of whether there are more."
  (let* ((parts (funcall (view-items view) (view-shown view) count))
         (shown (incf (view-shown view) (length parts))))
    (setf (view-more view)
          (and (= (length parts) count)
               (if (view-count view)
                   (< shown (view-count view))
                   (not (null (funcall (view-items view) shown 1))))))
    parts))

(defun sent-part (part inspection)
  "Return (TEXT NUMBER KEY-NUMBER ACTION-NUMBER ACTION-TEXT SETTABLE); what has a number can be asked for."
  (flet ((number-for (role wanted)
           (when wanted
             (let ((number (incf (inspection-numbers inspection))))
               (setf (gethash number (view-parts (inspection-view inspection))) (cons role part))
               number))))
    (list (part-text part)
          (number-for :object (or (part-setter part) (not (eq (part-object part) *nothing*))))
          (number-for :key (not (eq (part-key part) *nothing*)))
          (number-for :action (part-action part))
          (and (part-action part) (part-action-text part))
          (and (part-setter part) t))))

(defun message (inspection parts start &key values output)
  "Return INSPECTION as it is sent, with PARTS, which begin at line START."
  (let* ((view (inspection-view inspection))
         (*page-end* (+ (get-internal-real-time) (* *page-seconds* internal-time-units-per-second)))
         (*value-octets* (min +value-octets+ (floor +page-octets+ (* 2 (max 1 (length parts))))))
         (*package* (inspection-package inspection))
         (*print-length* 20) (*print-level* 4) (*print-pretty* nil) (*print-circle* nil)
         (*print-array* t) (*print-readably* nil) (*print-right-margin* nil))
    (list (inspection-id inspection)
          (quick-text (view-object view) +title-octets+)
          (quick-text (type-of (view-object view)) +title-octets+)
          (loop for part in parts collect (sent-part part inspection))
          (and (view-more view) t)
          start
          (view-count view)
          (and (rest (inspection-views inspection)) t)
          (and (inspection-ahead inspection) t)
          (printed-values values 65536)
          output)))

(defun whole-message (inspection count &rest more)
  "Return INSPECTION with the lines about its object and its first COUNT items."
  (let ((view (inspection-view inspection)))
    (clrhash (view-parts view))
    (setf (view-shown view) 0)
    (apply #'message inspection (append (view-lines view) (next-items view count)) 0 more)))

(defun anew (inspection)
  "Let INSPECTION show its object as it is now; return how many items were shown before."
  (let ((old (inspection-view inspection)))
    (setf (first (inspection-views inspection)) (make-view (view-object old) (inspection-package inspection)))
    (max +page+ (min +longest-page+ (view-shown old)))))

(defun show-object (inspection object)
  "Let INSPECTION go on to OBJECT."
  (let ((views (cons (make-view object (inspection-package inspection)) (inspection-views inspection))))
    (setf (inspection-ahead inspection) '()
          (inspection-views inspection) (subseq views 0 (min +history-length+ (length views))))))

;;; Evaluating for an inspection: quiet, in time, without a stop

(defclass capped-output (sb-gray:fundamental-character-output-stream)
  ((text :initform (make-string-output-stream) :reader capped-text)
   (room :initform 65536 :accessor capped-room)))

(defmethod sb-gray:stream-write-char ((stream capped-output) char)
  (when (plusp (capped-room stream))
    (decf (capped-room stream))
    (write-char char (capped-text stream)))
  char)

(defmethod sb-gray:stream-line-column ((stream capped-output)) nil)

(defmacro answering ((seconds output) &body body)
  "Return the value of BODY, (:invalid WHY) when it signals or stops, (:late) after SECONDS.

OUTPUT is bound to a function that returns what was printed meanwhile. Reading finds an end at once."
  (let ((out (gensym "OUT")) (both (gensym "BOTH")) (answer (gensym "ANSWER")))
    `(let* ((,out (make-instance 'capped-output))
            (,both (make-two-way-stream (make-concatenated-stream) ,out))
            (*standard-output* ,out) (*error-output* ,out) (*trace-output* ,out)
            (*standard-input* (make-concatenated-stream)) (*query-io* ,both) (*debug-io* ,both) (*terminal-io* ,both))
       (flet ((,output ()
                (let ((text (get-output-stream-string (capped-text ,out))))
                  (and (plusp (length text)) text))))
         (declare (ignorable #',output))
         (let ((,answer (call-within ,seconds (lambda () (or-invalid ,@body)))))
           (if (eq ,answer :late) (list :late) ,answer))))))

(defun values-with (inspection text * **)
  "Return the values of TEXT for INSPECTION's client, with * and ** bound as given."
  (let ((star *) (star-star **))
    (call-with-client (inspection-client inspection) (inspection-package inspection)
                      (lambda ()
                        (let ((* star) (** star-star))
                          (values-of (inspection-client inspection) text))))))

;;; Opening

(define-condition no-such-object (error)
  ((what :initarg :what :reader missing-what))
  (:report (lambda (condition stream) (write-string (missing-what condition) stream))))

(defun missing (control &rest arguments)
  (error 'no-such-object :what (apply #'format nil control arguments)))

(defun traced-object (call which index)
  "Return the object of a traced CALL, WHICH :argument or :value, and whether it is kept."
  (let ((function (and (find-package "DESCARTES-SERVICE")
                       (find-symbol "TRACED-OBJECT" "DESCARTES-SERVICE"))))
    (if (and function (fboundp function))
        (funcall function call which index)
        (values nil nil))))

(defun kept-object (kind key index)
  "Return the object that the evaluation or traced call KEY has at INDEX."
  (multiple-value-bind (object found)
      (if (eq kind :evaluation)
          (evaluation-value key index)
          (traced-object key kind index))
    (if found
        object
        (missing "There is no ~(~a~) ~d of ~a in this image any more" (if (eq kind :evaluation) :value kind)
                 index key))))

(defun wanted-object (client package source)
  "Return the object that SOURCE, (:expression TEXT) or (KIND KEY INDEX), means."
  (if (eq (first source) :expression)
      (call-with-client client package
                        (lambda () (first (values-of client (second source)))))
      (apply #'kept-object source)))

(defun open-inspection (id owner client package object)
  "Return a new inspection of OBJECT; of too many of one owner the oldest are closed."
  (let ((inspection (make-instance 'inspection :id id :owner owner :client client :package package)))
    (setf (inspection-views inspection) (list (make-view object package)))
    (sb-thread:with-mutex (*inspections-lock*)
      (let ((count 0))
        (setf *inspections*
              (remove-if (lambda (other)
                           (and (equal owner (inspection-owner other))
                                (> (incf count) +inspections-per-client+)))
                         (cons inspection *inspections*)))))
    inspection))

(defun reading-package (name client)
  (or (named-package name) (package-of-client client)))

(defun or-missing (answer)
  "Return the value of the function ANSWER; (:missing WHY) when what was asked for is not there."
  (handler-case (funcall answer)
    (no-such-object (condition) (list :missing (missing-what condition)))))

(defun page-count (count)
  (if (and (integerp count) (plusp count)) (min count +longest-page+) +page+))

(defun inspector-open (id owner client package source count milliseconds)
  "Return (:ok MESSAGE) about the object that SOURCE means, in an inspection ID of OWNER."
  (let ((package (reading-package package client)))
    (answering ((/ milliseconds 1000) printed)
      (or-missing
       (lambda ()
         (let ((object (wanted-object client package source)))
           (list :ok (whole-message (open-inspection id owner client package object) (page-count count)
                                    :output (printed)))))))))

(defun stopped-object (frame what)
  "Return the object WHAT of the stopped thread: (:condition), or in FRAME (:local PLACE), (:expression TEXT)."
  (ecase (first what)
    (:condition swank::*swank-debugger-condition*)
    (:expression (value-in-frame (second what) (swank-index frame)))
    (:local
     (let* ((index (swank-index frame))
            (variables (frame-variables index))
            (found (if (stringp (second what))
                       (find (second what) variables :key #'first :test #'string-equal)
                       (nth (max 0 (second what)) variables))))
       (if found
           (swank/backend:frame-var-value index (third found))
           (missing "There is no variable ~a in frame ~d; it has~:[ none~;~:*~{ ~(~a~)~^,~}~]"
                    (second what) frame (mapcar #'first (numbered-variables index nil))))))))

(defun inspector-open-stopped (level id owner client frame what count milliseconds)
  "Return (:ok MESSAGE) about WHAT in this stopped thread, seen with its own special variables."
  (at-level (level)
    (answering ((/ milliseconds 1000) printed)
      (or-missing
       (lambda ()
         (let ((object (stopped-object frame what))
               (package (if (eq (first what) :condition) *package*
                            (frame-reading-package (swank-index frame)))))
           (list :ok (whole-message (open-inspection id owner client package object) (page-count count)
                                    :output (printed)))))))))

;;; Going on

(defun find-inspection (id owner)
  "Return the inspection of OWNER whose id begins with ID."
  (let* ((own (sb-thread:with-mutex (*inspections-lock*)
                (remove owner *inspections* :key #'inspection-owner :test-not #'equal)))
         (found (or (remove id own :key #'inspection-id :test-not #'string=)
                    (remove-if-not (lambda (inspection) (eql 0 (search id (inspection-id inspection)))) own))))
    (cond ((null found)
           (missing "Expected the id of an open inspection of yours, got ~s; ~
                     one ends when it is closed, when more than ~d are open, and with its client and ~
                     its image: open the object again with inspector.open"
                    id +inspections-per-client+))
          ((rest found) (error "~s fits ~d inspections; give more digits" id (length found)))
          (t (first found)))))

(defun numbered-part (inspection number &rest roles)
  "Return what NUMBER stands for in what INSPECTION shows, a part, and its role, one of ROLES."
  (destructuring-bind (&optional role . part)
      (gethash number (view-parts (inspection-view inspection)))
    (if (member role roles)
        (values part role)
        (missing "There is no ~:[part~;action~] ~a in what ~a shows now; refresh it"
                 (member :action roles) number (inspection-id inspection)))))

(defun open-part (inspection number)
  (multiple-value-bind (part role) (numbered-part inspection number :object :key)
    (open-object inspection number (if (eq role :key) (part-key part) (part-object part)))))

(defun open-object (inspection number object)
  (when (eq object *nothing*)
    (missing "Part ~d has no object to open; give it one with inspector.set" number))
  (show-object inspection object)
  (whole-message inspection +page+))

(defun step-history (inspection forward)
  (flet ((none () (missing "This inspection has nothing ~:[before~;after~] what it shows" forward)))
    (cond (forward
           (unless (inspection-ahead inspection) (none))
           (push (pop (inspection-ahead inspection)) (inspection-views inspection)))
          (t
           (unless (rest (inspection-views inspection)) (none))
           (push (pop (inspection-views inspection)) (inspection-ahead inspection))))
    (whole-message inspection (anew inspection))))

(defun more-items (inspection count)
  (let* ((view (inspection-view inspection))
         (start (+ (length (view-lines view)) (view-shown view))))
    (message inspection (next-items view (page-count count)) start)))

(defun act (inspection number output)
  (let ((result (funcall (part-action (numbered-part inspection number :action)))))
    (if (and (consp result) (eq (first result) :show))
        (progn (show-object inspection (second result))
               (whole-message inspection +page+ :output (funcall output)))
        (whole-message inspection (anew inspection) :output (funcall output)))))

(defun set-part (inspection number text output)
  (let* ((part (numbered-part inspection number :object))
         (old (if (eq (part-object part) *nothing*) nil (part-object part)))
         (setter (or (part-setter part) (error "Part ~d cannot be set" number)))
         (new (values-with inspection text old (view-object (inspection-view inspection)))))
    (when (null new) (error "Expected a value to set, ~s gave none" text))
    (funcall setter (first new))
    (whole-message inspection (anew inspection) :output (funcall output))))

(defun evaluate-with (inspection text output)
  (let ((values (values-with inspection text (view-object (inspection-view inspection)) nil)))
    (when values (show-object inspection (first values)))
    (whole-message inspection (if values +page+ (anew inspection)) :values values :output (funcall output))))

(defun close-inspection (inspection)
  (sb-thread:with-mutex (*inspections-lock*)
    (setf *inspections* (remove inspection *inspections*)))
  (message inspection '() 0))

(defun inspector-do (id owner milliseconds verb &rest arguments)
  "Return (:ok MESSAGE) after VERB was done with the inspection ID of OWNER."
  (answering ((/ milliseconds 1000) printed)
    (or-missing
     (lambda ()
       (let ((inspection (find-inspection id owner))
             (first (first arguments)))
         (sb-thread:with-mutex ((inspection-lock inspection))
           (list :ok (ecase verb
                       (:part (open-part inspection first))
                       (:back (step-history inspection nil))
                       (:forward (step-history inspection t))
                       (:refresh (whole-message inspection (anew inspection)))
                       (:more (more-items inspection first))
                       (:action (act inspection first #'printed))
                       (:set (set-part inspection first (second arguments) #'printed))
                       (:eval (evaluate-with inspection first #'printed))
                       (:close (close-inspection inspection))))))))))

(defun inspector-list (owner)
  "Return (:ok ((ID TITLE TYPE) …)), the newest first."
  (answering (*page-seconds* printed)
    (list :ok (loop for inspection in *inspections*
                    when (equal owner (inspection-owner inspection))
                      collect (subseq (message inspection '() 0) 0 3)))))

;;; As one text, for who only reads

(defun inspect-text (text client package)
  "Return (:ok TEXT) about the value of TEXT: as it prints, its type, and its first lines."
  (let ((package (reading-package package client)))
    (answering (10 printed)
      (let* ((object (wanted-object client package (list :expression text)))
             (inspection (make-instance 'inspection :id "" :owner "" :client client :package package)))
        (setf (inspection-views inspection) (list (make-view object package)))
        (destructuring-bind (id title type parts more &rest rest) (whole-message inspection +page+)
          (declare (ignore id rest))
          (list :ok (format nil "~a~%Type: ~a~%~%~{~a~%~}~:[~;…~%~]" title type (mapcar #'first parts)
                            more)))))))

;;; Clients that are gone

(defun forget-inspections (gone-p)
  (sb-thread:with-mutex (*inspections-lock*)
    (setf *inspections* (remove-if gone-p *inspections* :key #'inspection-owner))))
