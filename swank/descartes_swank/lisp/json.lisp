;;;; JSON, as much of it as Descartes needs: lines in, lines out, UTF-8 at both ends.
;;;;
;;;; Written values: strings, integers, T and :FALSE, vectors as arrays, and (:OBJECT KEY VALUE …) as
;;;; objects, whose entries with the value NIL are left out.
;;;; Read values: strings, numbers, T for true, NIL for false and null, vectors, and alists for objects.

(eval-when (:compile-toplevel :load-toplevel :execute)
  (unless (find-package "DESCARTES-SERVICE")
    (make-package "DESCARTES-SERVICE" :use '("COMMON-LISP"))))

(in-package "DESCARTES-SERVICE")

(deftype octets () '(simple-array (unsigned-byte 8) (*)))

(defstruct sink
  "A growing row of octets."
  (octets (make-array 2048 :element-type '(unsigned-byte 8)) :type octets)
  (fill 0 :type fixnum))

(declaim (inline put-octet))
(defun put-octet (octet sink)
  (declare (type (unsigned-byte 8) octet) (type sink sink))
  (let ((fill (sink-fill sink))
        (octets (sink-octets sink)))
    (when (= fill (length octets))
      (setf octets (replace (make-array (* 2 fill) :element-type '(unsigned-byte 8)) octets)
            (sink-octets sink) octets))
    (setf (aref octets fill) octet
          (sink-fill sink) (1+ fill))))

(defun put-ascii (text sink)
  (loop for char across (the string text) do (put-octet (logand 127 (char-code char)) sink)))

(defun put-code-point (code sink)
  "Put CODE as UTF-8; a lone surrogate, which UTF-8 cannot carry, becomes U+FFFD."
  (declare (type (unsigned-byte 21) code))
  (flet ((tail (shift) (put-octet (logior #x80 (ldb (byte 6 shift) code)) sink)))
    (cond ((< code #x80) (put-octet code sink))
          ((< code #x800) (put-octet (logior #xC0 (ash code -6)) sink) (tail 0))
          ((<= #xD800 code #xDFFF) (put-code-point #xFFFD sink))
          ((< code #x10000) (put-octet (logior #xE0 (ash code -12)) sink) (tail 6) (tail 0))
          (t (put-octet (logior #xF0 (ash code -18)) sink) (tail 12) (tail 6) (tail 0)))))

(defun put-json-string (string sink)
  (put-octet 34 sink)
  (loop for char across (the string string)
        for code of-type (unsigned-byte 21) = (char-code char)
        do (cond ((or (= code 34) (= code 92)) (put-octet 92 sink) (put-octet code sink))
                 ((= code 10) (put-ascii "\\n" sink))
                 ((< code 32) (put-ascii (format nil "\\u~4,'0x" code) sink))
                 (t (put-code-point code sink))))
  (put-octet 34 sink))

(defun put-json-entries (entries sink)
  (put-octet 123 sink)
  (loop with first = t
        for (key value) on entries by #'cddr
        when value
          do (if first (setf first nil) (put-octet 44 sink))
             (put-json-string key sink)
             (put-octet 58 sink)
             (put-json value sink))
  (put-octet 125 sink))

(defun put-json (value sink)
  "Put VALUE on SINK as JSON."
  (etypecase value
    (string (put-json-string value sink))
    (integer (put-ascii (let ((*print-base* 10) (*print-radix* nil)) (princ-to-string value)) sink))
    (null (put-ascii "null" sink))
    ((eql t) (put-ascii "true" sink))
    ((eql :false) (put-ascii "false" sink))
    (vector (put-octet 91 sink)
     (loop for element across value
           for first = t then nil
           do (unless first (put-octet 44 sink))
              (put-json element sink))
     (put-octet 93 sink))
    ((cons (eql :object)) (put-json-entries (rest value) sink))))

(defun json-text (value)
  "Return VALUE as JSON in a string."
  (let ((sink (make-sink)))
    (put-json value sink)
    (sb-ext:octets-to-string (sink-octets sink) :end (sink-fill sink) :external-format :utf-8)))

;;; Reading

(define-condition json-problem (error)
  ((position :initarg :position :reader json-problem-position))
  (:report (lambda (condition stream)
             (format stream "Expected JSON, found something else at character ~d"
                     (json-problem-position condition)))))

(defun read-json (text)
  "Return the value of the JSON in TEXT, or signal JSON-PROBLEM."
  (let ((at 0))
    (labels ((fail () (error 'json-problem :position at))
             (peek () (if (< at (length text)) (char text at) (fail)))
             (next () (prog1 (peek) (incf at)))
             (skip () (loop while (and (< at (length text))
                                       (find (char text at) '(#\Space #\Tab #\Newline #\Return)))
                            do (incf at)))
             (expect (char) (unless (char= (next) char) (fail)))
             (word (word value)
               (loop for char across word do (expect char))
               value)
             (hex ()
               (let ((end (+ at 4)))
                 (when (> end (length text)) (fail))
                 (prog1 (handler-case (parse-integer text :start at :end end :radix 16)
                          (error () (fail)))
                   (setf at end))))
             (unicode ()
               (let ((code (hex)))
                 (if (and (<= #xD800 code #xDBFF)
                          (< (1+ at) (length text))
                          (char= (char text at) #\\)
                          (char= (char text (1+ at)) #\u))
                     (progn (incf at 2)
                            (+ #x10000 (ash (- code #xD800) 10) (logand #x3FF (hex))))
                     code)))
             (escaped ()
               (let ((char (next)))
                 (case char
                   (#\n #\Newline) (#\t #\Tab) (#\r #\Return) (#\b #\Backspace) (#\f #\Page)
                   (#\u (code-char (unicode)))
                   (t char))))
             (json-string ()
               (expect #\")
               (with-output-to-string (out)
                 (loop for char = (next)
                       until (char= char #\")
                       do (write-char (if (char= char #\\) (escaped) char) out))))
             (number ()
               (let ((end (or (position-if-not (lambda (char) (find char "+-.eE0123456789")) text :start at)
                              (length text))))
                 (when (= end at) (fail))
                 (prog1 (handler-case (parse-integer text :start at :end end)
                          (error () (fail)))
                   (setf at end))))
             (elements (close read-one)
               (next)
               (skip)
               (if (char= (peek) close)
                   (progn (next) '())
                   (loop collect (funcall read-one)
                         do (skip)
                         until (char= (let ((char (next)))
                                        (if (find char (list close #\,)) char (fail)))
                                      close))))
             (entry ()
               (skip)
               (let ((key (json-string)))
                 (skip)
                 (expect #\:)
                 (cons key (value))))
             (value ()
               (skip)
               (case (peek)
                 (#\" (json-string))
                 (#\{ (elements #\} #'entry))
                 (#\[ (coerce (elements #\] #'value) 'vector))
                 (#\t (word "true" t))
                 (#\f (word "false" nil))
                 (#\n (word "null" nil))
                 (t (number)))))
      (prog1 (value)
        (skip)
        (when (< at (length text)) (fail))))))

(declaim (inline entry))
(defun entry (object key)
  "Return the value of KEY in an OBJECT that READ-JSON has read."
  (cdr (assoc key object :test #'string=)))
