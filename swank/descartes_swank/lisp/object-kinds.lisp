;;;; What functions, classes, numbers, characters, streams and the like consist of, as the inspector shows it.

(in-package "DESCARTES-BOOT")

;;; Functions, methods, classes

(defun value-cell-p (object)
  (and (sb-kernel::%other-pointer-p object)
       (= (sb-kernel::%other-pointer-widetag object) sb-vm::value-cell-widetag)))

(defun closure-part (object index)
  (let ((label (format nil "Closed over ~d" index)))
    (if (value-cell-p object)
        (part label (sb-kernel::value-cell-ref object)
              :setter (lambda (new) (sb-kernel::value-cell-set object new)))
        (part label object))))

(defun closed-over (function)
  "Return what FUNCTION has closed over, where this version of the Lisp tells."
  (ignore-errors
   (when (sb-kernel::closurep function)
     (loop for index below (1- (sb-kernel::get-closure-length function))
           collect (sb-kernel::%closure-index-ref function index)))))

(defun function-lines (function)
  `(,(part "Name" (sb-kernel::%fun-name function))
    ,(part "Lambda list" (sb-introspect:function-lambda-list function))
    ,(part "Type" (sb-introspect:function-type function))
    ,@(let ((source (ignore-errors (sb-introspect:find-definition-source function))))
        (when (and source (sb-introspect:definition-source-pathname source))
          (list (part "Source" (sb-introspect:definition-source-pathname source)))))
    ,@(documentation-lines (documentation function t))
    ,(action "[disassemble]"
             (lambda () (list :show (with-output-to-string (out) (disassemble function :stream out)))))))

(defmethod anatomy ((object function))
  (anatomy-of (function-lines object) (closed-over object) #'closure-part))

(defun method-text (method)
  (format nil "~@[~{~(~s~)~^ ~} ~](~{~a~^ ~})" (method-qualifiers method)
          (mapcar (lambda (specializer)
                    (typecase specializer
                      (class (prin1-to-string (class-name specializer)))
                      (t (format nil "(eql ~a)" (printed-value (sb-mop:eql-specializer-object specializer) 80)))))
                  (sb-mop:method-specializers method))))

(defun method-part (method)
  (part (method-text method) method
        :note ""
        :action (lambda () (remove-method (sb-mop:method-generic-function method) method) :refresh)
        :action-text "remove method"))

(defmethod anatomy ((object generic-function))
  (let ((methods (sb-mop:generic-function-methods object)))
    (anatomy-of `(,@(function-lines object)
                  ,(part "Method combination" (sb-mop:generic-function-method-combination object))
                  ,(part "Class" (class-of object))
                  ,(line "Methods (~d):" (length methods)))
                methods
                (lambda (method index) (declare (ignore index)) (method-part method)))))

(defmethod anatomy ((object method))
  (let ((generic (sb-mop:method-generic-function object)))
    `(,(part "Generic function" generic)
      ,(line "Specializers and qualifiers: ~a" (method-text object))
      ,(part "Lambda list" (sb-mop:method-lambda-list object))
      ,(part "Function" (sb-mop:method-function object))
      ,@(documentation-lines (documentation object t))
      ,@(when generic (list (action "[remove method]" (lambda () (remove-method generic object) :refresh)))))))

(defmethod anatomy ((object class))
  (let ((final (sb-mop:class-finalized-p object)))
    (objects-of `(,(part "Name" (class-name object))
                  ,(part "Metaclass" (class-of object))
                  ,(part "Direct superclasses" (sb-mop:class-direct-superclasses object))
                  ,(part "Direct subclasses" (sb-mop:class-direct-subclasses object))
                  ,(if final
                       (part "Precedence list" (sb-mop:class-precedence-list object))
                       (line "It is not finalized"))
                  ,(part "Direct slots" (mapcar #'sb-mop:slot-definition-name
                                                (sb-mop:class-direct-slots object)))
                  ,@(when (and final (not (typep object 'built-in-class)))
                      (list (part "Prototype" (sb-mop:class-prototype object))))
                  ,(part "Methods specialized on it" (sb-mop:specializer-direct-methods object))
                  ,@(documentation-lines (documentation object t)))
                (and final (ignore-errors (sb-mop:class-slots object)))
                (lambda (slot index)
                  (declare (ignore index))
                  (format nil "Slot ~a" (sb-mop:slot-definition-name slot))))))

;;; Numbers and characters

(defmethod anatomy ((object integer))
  (let ((size (integer-length object)))
    `(,(line "~:[Bignum~;Fixnum~], ~:d bit~:p~:[~;, negative~]" (typep object 'fixnum) size (minusp object))
      ,@(when (< size 4096)
          (list (line "Decimal #10r~:d" object)
                (line "Hexadecimal #x~(~x~)" object)
                (line "Octal #o~o" object)
                (line "Binary #b~b" object)))
      ,@(when (< -1 object char-code-limit) (list (part "As a character" (code-char object))))
      ,@(when (< 1000000000 object (expt 10 11))
          (list (line "As a universal time ~a" (time-text object)))))))

(defun time-text (universal)
  (multiple-value-bind (second minute hour day month year) (decode-universal-time universal 0)
    (format nil "~4,'0d-~2,'0d-~2,'0d ~2,'0d:~2,'0d:~2,'0d UTC" year month day hour minute second)))

(defmethod anatomy ((object ratio))
  (list (part "Numerator" (numerator object))
        (part "Denominator" (denominator object))
        (line "About ~a" (ignore-errors (float object 1d0)))))

(defun float-bits (float)
  (etypecase float
    (single-float (values (ldb (byte 32 0) (sb-kernel::single-float-bits float)) 32))
    (double-float (values (logior (ash (ldb (byte 32 0) (sb-kernel::double-float-high-bits float)) 32)
                                  (sb-kernel::double-float-low-bits float))
                          64))))

(defmethod anatomy ((object float))
  (multiple-value-bind (bits size) (float-bits object)
    `(,(line "Bits #x~(~v,'0x~)" (/ size 4) bits)
      ,(line "Bits #b~v,'0b (sign, exponent, significand)" size bits)
      ,@(if (or (sb-ext:float-infinity-p object) (sb-ext:float-nan-p object))
            (list (line "~:[Infinite~;Not a number~]" (sb-ext:float-nan-p object)))
            (multiple-value-bind (significand exponent sign) (integer-decode-float object)
              (list (line "~d · 2^~d, sign ~d" significand exponent sign)
                    (part "Exactly" (rational object))
                    (part "Nearest simple ratio" (rationalize object))))))))

(defmethod anatomy ((object complex))
  (list (part "Real part" (realpart object))
        (part "Imaginary part" (imagpart object))))

(defmethod anatomy ((object character))
  (list (line "Code ~d, U+~4,'0x" (char-code object) (char-code object))
        (line "Name ~a" (char-name object))
        (line "General category ~a" (sb-unicode:general-category object))
        (line "UTF-8 ~{~2,'0x~^ ~}"
              (ignore-errors (coerce (sb-ext:string-to-octets (string object) :external-format :utf-8) 'list)))
        (part "Upper case" (char-upcase object))
        (part "Lower case" (char-downcase object))))

;;; The rest of the world

(defmethod anatomy ((object pathname))
  `(,(line "Names ~a" (namestring object))
    ,@(loop for (label . reader) in '(("Host" . pathname-host) ("Device" . pathname-device)
                                      ("Directory" . pathname-directory) ("Name" . pathname-name)
                                      ("Type" . pathname-type) ("Version" . pathname-version))
            collect (part label (funcall reader object)))
    ,(let ((there (ignore-errors (probe-file object))))
       (if there (part "Exists as" there) (line "There is no such file")))))

(defmethod anatomy ((object stream))
  (flet ((asked (label reader)
           (handler-case (list (part label (funcall reader object)))
             (serious-condition () '()))))
    (multiple-value-bind (lines items count)
        (if (typep object '(or standard-object structure-object)) (slots-anatomy object '()) '())
      (values `(,(line "~:[Closed~;Open~]~:[~;, input~]~:[~;, output~]"
                       (ignore-errors (open-stream-p object)) (ignore-errors (input-stream-p object))
                       (ignore-errors (output-stream-p object)))
                ,@(asked "Element type" #'stream-element-type)
                ,@(asked "External format" #'stream-external-format)
                ,@(when (typep object 'file-stream)
                    (append (asked "File" #'pathname)
                            (asked "Position" #'file-position)
                            (asked "Length" #'file-length)))
                ,@lines)
              items count))))

(defmethod anatomy ((object sb-thread:thread))
  (multiple-value-bind (lines items count) (slots-anatomy object '())
    (values (list* (part "Name" (sb-thread:thread-name object))
                   (line "~:[Ended~;Alive~]" (sb-thread:thread-alive-p object))
                   lines)
            items count)))

(defmethod anatomy ((object sb-ext:weak-pointer))
  (multiple-value-bind (value alive) (sb-ext:weak-pointer-value object)
    (list (if alive (part "Points to" value) (line "What it pointed to is gone")))))
